import { createHash } from 'node:crypto';
import type { Seal } from '../../vault.ts';

/**
 * A seal as the bytes of one object: 8 of magic, the counter in 8 (big-endian), the key, and the first 16 of
 * SHA-256 over all that, by which bytes that were written half are recognised.
 */
const magic = Buffer.from('sa-seal1', 'latin1');
const keyLength = 32;
const counterAt = magic.length;
const keyAt = counterAt + 8;
const checksumAt = keyAt + keyLength;
const checksumLength = 16;

/** The caller's to wipe. Throws a RangeError for a counter or key that no seal has. */
export function encodeSeal({ key, counter }: Seal): Buffer {
  if (key.length !== keyLength || !Number.isSafeInteger(counter) || counter < 0) {
    throw new RangeError(`no seal: a key of ${key.length} bytes, counter ${counter}`);
  }
  const bytes = Buffer.alloc(checksumAt + checksumLength);
  magic.copy(bytes);
  bytes.writeBigUInt64BE(BigInt(counter), counterAt);
  bytes.set(key, keyAt);
  checksum(bytes).copy(bytes, checksumAt);
  return bytes;
}

/** With a key of its own; null where these bytes are no seal, or not a whole one. */
export function decodeSeal(bytes: Uint8Array): Seal | null {
  const given = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (given.length !== checksumAt + checksumLength) return null;
  if (!given.subarray(0, magic.length).equals(magic)) return null;
  if (!given.subarray(checksumAt).equals(checksum(given))) return null;
  const counter = given.readBigUInt64BE(counterAt);
  if (counter > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  const key = Buffer.alloc(keyLength);
  given.copy(key, 0, keyAt, checksumAt);
  return { key, counter: Number(counter) };
}

function checksum(bytes: Buffer): Buffer {
  const digest = createHash('sha256').update(bytes.subarray(0, checksumAt)).digest();
  return digest.subarray(0, checksumLength);
}
