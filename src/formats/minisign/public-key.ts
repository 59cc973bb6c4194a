import { decodeBase64 } from '../../base/base64.ts';
import { keyAlgorithm, MinisignFormatError, untrustedPrefix } from './format.ts';
import { keyIdLength, keyIdOf, keyIdText } from './key-id.ts';

export interface MinisignPublicKey {
  readonly keyId: Buffer;
  /** Ed25519, 32 bytes. */
  readonly bytes: Buffer;
}

const publicKeyLength = 32;

/** A `.pub` file: a comment with the key id, and base64 of algorithm, key id and key. */
export function encodePublicKeyFile(bytes: Uint8Array): string {
  const keyId = keyIdOf(bytes);
  const key = Buffer.concat([Buffer.from(keyAlgorithm), keyId, bytes]).toString('base64');
  return `${untrustedPrefix}minisign public key ${keyIdText(keyId)}\n${key}\n`;
}

/**
 * A `.pub` file: its first line is a comment, whatever it says, and behind the second one may be more, as minisign
 * reads it. Throws MinisignFormatError for everything else, a secret key above all, and for several keys.
 */
export function readPublicKeyFile(text: string): MinisignPublicKey {
  const [, encoded = '', ...more] = text.trim().split(/\r?\n/);
  if (more.some(isPublicKey)) {
    throw new MinisignFormatError(
      'it holds several minisign keys: give a file with the one that is meant',
    );
  }
  const bytes = decodeBase64(encoded.trim());
  const key = bytes === null ? null : publicKeyOf(bytes);
  if (key !== null) return key;
  const isSecret = bytes !== null && bytes.length > 100;
  throw new MinisignFormatError(
    isSecret
      ? 'a minisign SECRET key: verifying needs the .pub file'
      : 'a minisign public key that cannot be decoded',
  );
}

/** Whether the second line of a text is a public key, which makes it a `.pub` file. */
export function isPublicKeyFile(text: string): boolean {
  return isPublicKey(text.trim().split(/\r?\n/)[1] ?? '');
}

function isPublicKey(line: string): boolean {
  const bytes = decodeBase64(line.trim());
  return bytes !== null && publicKeyOf(bytes) !== null;
}

/** What the base64 of a public key decodes to; null where it is none. */
export function publicKeyOf(bytes: Buffer): MinisignPublicKey | null {
  const keyAt = keyAlgorithm.length + keyIdLength;
  if (bytes.length !== keyAt + publicKeyLength) return null;
  if (bytes.toString('latin1', 0, keyAlgorithm.length) !== keyAlgorithm) return null;
  return { keyId: bytes.subarray(keyAlgorithm.length, keyAt), bytes: bytes.subarray(keyAt) };
}
