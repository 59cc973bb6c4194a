import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import { getPublicKey, hashes } from '@noble/ed25519';

// noble derives synchronously with a SHA-512 that it is given; node:crypto's is native.
hashes.sha512 = (message) => new Uint8Array(createHash('sha512').update(message).digest());

/** PKCS#8 of RFC 8410 (section 7) up to the 32 seed bytes. */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The Ed25519 public key, 32 bytes, of a 32-byte seed (RFC 8032, 5.1.5). */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return getPublicKey(seed);
}

/** A key that node:crypto signs with. The copy made on the way is wiped. */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  const key = Buffer.concat([pkcs8, seed]);
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  } finally {
    key.fill(0);
  }
}

/** The seed of such a key as base64url, for writing it into a keystore (RFC 8037, `d`). */
export function seedTextOf(key: KeyObject): string {
  const { d } = key.export({ format: 'jwk' });
  if (d === undefined) throw new Error('the key object has no private part');
  return d;
}
