import { isUtf8 } from 'node:buffer';

/** More than any token takes (CK_TOKEN_INFO ulMaxPinLen: SoftHSM 255), bytes. */
export const maxPinLength = 1024;

/** Why this cannot be a PIN, to follow the name of where it came from; null where it can. */
export function faultOfPin(pin: Buffer): string | null {
  if (pin.length > maxPinLength) return `is longer than ${maxPinLength} bytes`;
  if (pin.length === 0) return 'is empty';
  // C_Login takes UTF-8 (PKCS#11, 5.6.8); another encoding would be changed on its way there.
  return !isUtf8(pin) || pin.includes(0) ? 'is not a line of UTF-8 text' : null;
}

/** What a file or a pipe holds, as a PIN: one trailing newline is none of it. A view of the same bytes. */
export function withoutNewline(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
}
