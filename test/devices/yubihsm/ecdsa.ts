import { createECDH, type KeyObject } from 'node:crypto';

/**
 * ECDSA over P-256 of a digest that is ready (FIPS 186-5 6.4.1). node:crypto always hashes, and a YubiHSM is given
 * the digest. Its time depends on the key: fit for an emulator alone.
 */

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const number = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);
const modulo = (value: bigint): bigint => ((value % order) + order) % order;

function inverse(value: bigint): bigint {
  let [a, b] = [modulo(value), order];
  let [x, y] = [1n, 0n];
  while (a > 1n) {
    const quotient = b / a;
    [a, b] = [b - quotient * a, a];
    [x, y] = [y - quotient * x, x];
  }
  return modulo(x);
}

/** DER's INTEGER. */
function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  const sign = (bytes[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.concat([Buffer.from([2, bytes.length + sign.length, ...sign]), bytes]);
}

/** DER: SEQUENCE of r and s. */
export function signDigest(digest: Buffer, key: KeyObject): Buffer {
  const secret = number(Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url'));
  for (;;) {
    const once = createECDH('prime256v1');
    const point = once.generateKeys();
    const r = modulo(number(point.subarray(1, 33)));
    const s = modulo(inverse(number(once.getPrivateKey())) * (number(digest) + r * secret));
    if (r === 0n || s === 0n) continue;
    const body = Buffer.concat([integer(r), integer(s)]);
    return Buffer.concat([Buffer.from([0x30, body.length]), body]);
  }
}
