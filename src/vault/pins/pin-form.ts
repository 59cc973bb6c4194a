import { isUtf8 } from 'node:buffer';
import { mostAroundSecret, secretIn } from '../../files/secret-line.ts';

/** More than any token takes (CK_TOKEN_INFO ulMaxPinLen: SoftHSM 255), bytes. */
export const maxPinLength = 1024;
/** What is read of a file with a PIN, bytes. */
export const maxPinFileLength = maxPinLength + mostAroundSecret;

/** Why a file or a pipe of this content has no PIN, else the PIN, as `secretIn` has it. */
export function pinIn(bytes: Buffer): ReturnType<typeof secretIn> {
  const read = secretIn(bytes);
  if ('fault' in read) return read;
  const fault = faultOfPin(read.secret);
  return fault === null ? read : { fault };
}

/** Why this cannot be a PIN, to follow the name of where it came from; null where it can. */
export function faultOfPin(pin: Buffer): string | null {
  if (pin.length > maxPinLength) return `is longer than ${maxPinLength} bytes`;
  if (pin.length === 0) return 'is empty';
  // C_Login takes UTF-8 (PKCS#11, 5.6.8); another encoding would be changed on its way there.
  return !isUtf8(pin) || pin.includes(0) ? 'is not a line of UTF-8 text' : null;
}
