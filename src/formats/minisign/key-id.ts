import { createHash } from 'node:crypto';

/** Bytes. */
export const keyIdLength = 8;

/**
 * The key id of a key that minisign did not make: minisign's are random, these are the first eight bytes of SHA-256
 * over the raw public key, so that its first four are the kid.
 */
export function keyIdOf(publicKey: Uint8Array): Buffer {
  return createHash('sha256').update(publicKey).digest().subarray(0, keyIdLength);
}

/** As minisign shows it: a little-endian number. */
export function keyIdText(keyId: Uint8Array): string {
  return Buffer.from(keyId).reverse().toString('hex').toUpperCase();
}
