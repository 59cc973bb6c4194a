import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';

const length = 32;
/** Any scalar shows a point of low order: all of them are multiples of 8 (RFC 7748, section 5). */
const scalar = Buffer.alloc(length, 1);
/** DER of a PKCS#8 up to the scalar (RFC 8410, section 7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');

/**
 * Why nothing may be encrypted for this X25519 public key, to follow what it is called; null where nothing speaks
 * against it.
 */
export function faultOfX25519(key: Uint8Array): string | null {
  if (key.length !== length) {
    return `has ${key.length} bytes, and an X25519 public key has ${length}`;
  }
  // age puts these bytes into the key of the file: by another spelling than its holder's own it does not open.
  if (!isCanonical(key)) return 'is not written as X25519 writes it (a number below 2^255 - 19)';
  if (isOfLowOrder(key))
    return 'is a point of low order: whatever is encrypted for it is open to all';
  return null;
}

/** Little endian (RFC 7748, section 5). */
function isCanonical(key: Uint8Array): boolean {
  const [first = 0, last = 0] = [key[0], key[length - 1]];
  if (last !== 0x7f) return last < 0x7f;
  return first < 0xed || key.subarray(1, length - 1).some((byte) => byte !== 0xff);
}

/** Where the agreement is all zero (RFC 7748, section 6.1). OpenSSL fails there. */
function isOfLowOrder(key: Uint8Array): boolean {
  const der = Buffer.concat([pkcs8Prefix, scalar]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const x = Buffer.from(key).toString('base64url');
  try {
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
    return diffieHellman({ privateKey, publicKey }).every((byte) => byte === 0);
  } catch {
    return true;
  }
}
