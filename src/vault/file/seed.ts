import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

/** DER of a PKCS#8 up to the seed (RFC 8410, section 7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * Node 20 takes ten times as long for PKCS#8 as for a JWK, and a keystore of thousands of keys is read while callers
 * wait. Its JWK needs a public part and does not look at it. Later versions compare it with the private one, and
 * refuse this; to them PKCS#8 is as quick.
 */
const isSlowWithPkcs8 = process.versions.node.startsWith('20.');

/** The Ed25519 public key, 32 bytes, of a 32-byte seed (RFC 8032, 5.1.5). */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return publicHalfOf(privateKeyOf(seed));
}

/** A key that node:crypto signs with. Throws where the seed has not 32 bytes. */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  if (isSlowWithPkcs8) {
    const d = Buffer.from(seed.buffer, seed.byteOffset, seed.byteLength).toString('base64url');
    return createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x: '', d }, format: 'jwk' });
  }
  const der = Buffer.concat([pkcs8Prefix, seed]);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

/** The public key of such a key, 32 bytes. */
export function publicHalfOf(key: KeyObject): Uint8Array {
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  if (x === undefined) throw new Error('the key object has no public part');
  return Buffer.from(x, 'base64url');
}

/** The seed of such a key as base64url, for writing it into a keystore (RFC 8037, `d`). */
export function seedTextOf(key: KeyObject): string {
  const { d } = key.export({ format: 'jwk' });
  if (d === undefined) throw new Error('the key object has no private part');
  return d;
}
