import { existsSync, readFileSync } from 'node:fs';
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { privateKeyOf, publicKeyOf, seedTextOf } from '../../src/vault/file/seed.ts';

const { ed25519, es256 } = algorithms;
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const vectorFile = (name: string): URL => new URL(`../vectors/${name}`, import.meta.url);

/** Order of the base point, RFC 8032 section 5.1. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const p = 2n ** 255n - 19n;

const littleEndian = (value: bigint): Buffer =>
  Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();

describe('RFC 8032, section 7.1', () => {
  const { vectors } = JSON.parse(readFileSync(vectorFile('rfc8032.json'), 'utf8')) as {
    vectors: { seed: string; publicKey: string; message: string; signature: string }[];
  };
  test.each(vectors)('$publicKey', ({ seed, publicKey, message, signature }) => {
    expect(Buffer.from(publicKeyOf(hex(seed)))).toEqual(hex(publicKey));
    const key = privateKeyOf(hex(seed));
    expect(sign(null, hex(message), key)).toEqual(hex(signature));
    expect(Buffer.from(seedTextOf(key), 'base64url')).toEqual(hex(seed));
    expect(ed25519.verify(hex(message), hex(signature), hex(publicKey))).toBe(true);
    const other = Buffer.concat([hex(message), Buffer.from([0])]);
    expect(ed25519.verify(other, hex(signature), hex(publicKey))).toBe(false);
  });
  test('there are vectors', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(4);
  });
});

describe('Wycheproof, eddsa_test.json', () => {
  const shared = new URL('../../../shared/vectors/wycheproof-ed25519.json', import.meta.url);
  if (!existsSync(shared)) {
    console.warn('Wycheproof vectors are not beside the project (../shared/vectors): not run');
    test('the vectors are beside the project in CI', () => {
      expect(process.env['CI']).toBeUndefined();
    });
    return;
  }
  const { testGroups } = JSON.parse(readFileSync(shared, 'utf8')) as {
    testGroups: {
      publicKey: { pk: string };
      tests: { tcId: number; comment: string; msg: string; sig: string; result: string }[];
    }[];
  };
  const cases = testGroups.flatMap(({ publicKey, tests }) =>
    tests.map((one) => ({ ...one, publicKey: publicKey.pk })),
  );
  test.each(cases)('$tcId $comment', ({ msg, sig, publicKey, result }) => {
    expect(ed25519.verify(hex(msg), hex(sig), hex(publicKey))).toBe(result === 'valid');
  });
});

describe('what only strict verification refuses', () => {
  const key = privateKeyOf(Buffer.alloc(32, 9));
  const publicKey = publicKeyOf(Buffer.alloc(32, 9));
  const message = Buffer.from('strict');
  const signature = sign(null, message, key);

  /** The eight points of small order, in their canonical encodings. */
  const smallOrder = [
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0000000000000000000000000000000000000000000000000000000000000080',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  ];

  test('the untouched signature verifies', () => {
    expect(ed25519.verify(message, signature, publicKey)).toBe(true);
  });

  test.each(smallOrder)('a public key of small order: %s', (point) => {
    // R and S that satisfy the equation for a key of small order, whatever the message: the neutral element, 0.
    const forged = Buffer.concat([hex(smallOrder[0] ?? ''), Buffer.alloc(32)]);
    expect(ed25519.isPublicKey(hex(point))).toBe(false);
    expect(ed25519.verify(message, forged, hex(point))).toBe(false);
  });

  test.each(smallOrder)('an R of small order: %s', (point) => {
    const forged = Buffer.concat([hex(point), signature.subarray(32)]);
    expect(ed25519.verify(message, forged, publicKey)).toBe(false);
  });

  test.each([0n, 1n, 2n, 3n, 4n, 5n, 9n, 10n, 18n])('coordinates of p + %s', (small) => {
    for (const sign of [0n, 1n]) {
      const encoded = littleEndian(p + small + (sign << 255n));
      expect(ed25519.isPublicKey(encoded)).toBe(false);
      const forged = Buffer.concat([encoded, signature.subarray(32)]);
      expect(ed25519.verify(message, forged, publicKey)).toBe(false);
    }
  });

  test.each([
    '0100000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ])('a negative zero: %s', (encoded) => {
    expect(ed25519.isPublicKey(hex(encoded))).toBe(false);
  });

  test('an S of L and more', () => {
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`);
    for (const larger of [s + L, s + 2n * L, L]) {
      const forged = Buffer.concat([signature.subarray(0, 32), littleEndian(larger)]);
      expect(ed25519.verify(message, forged, publicKey)).toBe(false);
    }
  });

  test('a key of another length, or off the curve', () => {
    expect(ed25519.verify(message, signature, publicKey.subarray(1))).toBe(false);
    expect(ed25519.isPublicKey(littleEndian(2n))).toBe(false); // y = 2 is no point
    expect(ed25519.verify(message, signature, littleEndian(2n))).toBe(false);
  });
});

describe('ES256', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const message = Buffer.from('es256');
  const rawPublicKey = (key: KeyObject): Buffer => {
    const { x, y } = key.export({ format: 'jwk' });
    return Buffer.concat([
      Buffer.from([4]),
      Buffer.from(x ?? '', 'base64url'),
      Buffer.from(y ?? '', 'base64url'),
    ]);
  };
  const publicKey = rawPublicKey(pair.publicKey);
  const signature = sign('sha256', message, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });

  test('verifies r‖s over SHA-256', () => {
    expect(es256.verify(message, signature, publicKey)).toBe(true);
    expect(es256.verify(Buffer.from('other'), signature, publicKey)).toBe(false);
  });

  test('refuses DER signatures and points that are none', () => {
    const der = sign('sha256', message, pair.privateKey);
    expect(es256.verify(message, der, publicKey)).toBe(false);
    const off = Buffer.from(publicKey);
    off.writeUInt8(off.readUInt8(64) ^ 1, 64);
    expect(es256.isPublicKey(off)).toBe(false);
    expect(es256.verify(message, signature, off)).toBe(false);
    expect(es256.verify(message, signature, publicKey.subarray(1))).toBe(false);
  });
});
