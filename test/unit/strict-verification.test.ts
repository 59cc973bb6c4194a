import { createHash } from 'node:crypto';
import { hashes, Point, verify as nobleVerify } from '@noble/ed25519';
import { describe, expect, test } from 'vitest';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { isStrictEncoding } from '../../src/algorithms/ed25519-points.ts';

/**
 * Strict verification by OpenSSL and a list, compared with the definition of it in @noble's arithmetic: every encoding
 * decoded by RFC 8032, no point of small order, S < L, and the equation without the cofactor.
 */

const { ed25519 } = algorithms;
const { n: L, p } = Point.CURVE();
const sha512 = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('sha512').update(Buffer.concat(parts)).digest();
hashes.sha512 = (message) => new Uint8Array(sha512(message));

const numberOf = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const bytesOf = (number: bigint): Buffer =>
  Buffer.from(number.toString(16).padStart(64, '0'), 'hex').reverse();
const times = (point: Point, scalar: bigint): Point => {
  let sum = Point.ZERO;
  for (const bit of scalar.toString(2)) {
    sum = sum.double();
    if (bit === '1') sum = sum.add(point);
  }
  return sum;
};

/** The eight points whose order divides 8: multiples of one of order 8. */
const torsion = (() => {
  for (let y = 2n; ; y++) {
    let point: Point;
    try {
      point = times(Point.fromBytes(bytesOf(y)), L);
    } catch {
      continue; // no point has this y
    }
    if (times(point, 4n).is0()) continue;
    return [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n].map((factor) => times(point, factor));
  }
})();

interface Signed {
  readonly message: Buffer;
  readonly signature: Buffer;
  readonly publicKey: Buffer;
}

function decoded(encoded: Uint8Array): Point | null {
  try {
    return Point.fromBytes(encoded);
  } catch {
    return null;
  }
}

function holdsByDefinition({ message, signature, publicKey }: Signed): boolean {
  const r = signature.subarray(0, 32);
  const A = decoded(publicKey);
  const R = decoded(r);
  const S = numberOf(signature.subarray(32));
  if (A === null || R === null || A.isSmallOrder() || R.isSmallOrder() || S >= L) return false;
  const k = numberOf(sha512(r, publicKey, message)) % L;
  return times(A, k).add(R).equals(Point.BASE.multiply(S, false));
}

/** The same choices at every run, so that a failure can be looked at. */
class Choices {
  #state: Buffer;
  constructor(seed: string) {
    this.#state = sha512(Buffer.from(seed));
  }
  bytes(length: number): Buffer {
    this.#state = sha512(this.#state);
    return this.#state.subarray(0, length);
  }
  below(limit: number): number {
    return this.bytes(4).readUInt32BE() % limit;
  }
  of<T>(from: readonly T[]): T {
    const one = from[this.below(from.length)];
    if (one === undefined) throw new Error('nothing to choose from');
    return one;
  }
}

/** A signature by whoever may choose every number in it: points of small order added to A and R. */
function signedWith(choices: Choices, toA: Point, toR: Point): Signed {
  const a = numberOf(choices.bytes(32)) % L;
  const nonce = numberOf(choices.bytes(32)) % L;
  const message = choices.bytes(choices.below(40));
  const publicKey = Buffer.from(Point.BASE.multiply(a, false).add(toA).toBytes());
  const r = Buffer.from(Point.BASE.multiply(nonce, false).add(toR).toBytes());
  const k = numberOf(sha512(r, publicKey, message)) % L;
  return { message, publicKey, signature: Buffer.concat([r, bytesOf((nonce + k * a) % L)]) };
}

const honest = (choices: Choices): Signed => signedWith(choices, Point.ZERO, Point.ZERO);

function flipped(bytes: Buffer, bit: number): Buffer {
  const other = Buffer.from(bytes);
  other.writeUInt8(other.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return other;
}

const withR = (signed: Signed, r: Uint8Array): Signed => ({
  ...signed,
  signature: Buffer.concat([r, signed.signature.subarray(32)]),
});
const withS = (signed: Signed, s: bigint): Signed => ({
  ...signed,
  signature: Buffer.concat([signed.signature.subarray(0, 32), bytesOf(s % 2n ** 256n)]),
});
const smallOrder = (choices: Choices): Buffer => Buffer.from(choices.of(torsion).toBytes());
/** An encoding that is not the one of its point: y + p, or a sign that x does not have. */
function unreduced(choices: Choices): Buffer {
  const sign = BigInt(choices.below(2)) << 255n;
  return bytesOf(p + BigInt(choices.below(19)) + sign);
}

const malleations: Readonly<Record<string, (choices: Choices) => Signed>> = {
  'left as it was': honest,
  'a bit of the signature flipped': (choices) => {
    const signed = honest(choices);
    return { ...signed, signature: flipped(signed.signature, choices.below(512)) };
  },
  'a bit of the key flipped': (choices) => {
    const signed = honest(choices);
    return { ...signed, publicKey: flipped(signed.publicKey, choices.below(256)) };
  },
  'another message': (choices) => ({ ...honest(choices), message: choices.bytes(33) }),
  'multiples of L added to S': (choices) => {
    const signed = honest(choices);
    const s = numberOf(signed.signature.subarray(32));
    return withS(signed, s + BigInt(choices.below(15)) * L);
  },
  'S negated': (choices) => {
    const signed = honest(choices);
    return withS(signed, L - numberOf(signed.signature.subarray(32)));
  },
  'R of small order': (choices) => withR(honest(choices), smallOrder(choices)),
  'R not reduced': (choices) => withR(honest(choices), unreduced(choices)),
  'R no point': (choices) => withR(honest(choices), choices.bytes(32)),
  'A of small order, with the S of the neutral element': (choices) => ({
    message: choices.bytes(20),
    publicKey: smallOrder(choices),
    signature: Buffer.concat([choices.of(torsion).toBytes(), Buffer.alloc(32)]),
  }),
  'A of small order, with an R of large order': (choices) => {
    const nonce = numberOf(choices.bytes(32)) % L;
    const r = Buffer.from(Point.BASE.multiply(nonce, false).toBytes());
    const signature = Buffer.concat([r, bytesOf(nonce)]);
    return { message: choices.bytes(20), publicKey: smallOrder(choices), signature };
  },
  'A not reduced': (choices) => ({ ...honest(choices), publicKey: unreduced(choices) }),
  'A no point': (choices) => ({ ...honest(choices), publicKey: choices.bytes(32) }),
  'a point of small order added to A': (choices) =>
    signedWith(choices, choices.of(torsion), Point.ZERO),
  'a point of small order added to R': (choices) =>
    signedWith(choices, Point.ZERO, choices.of(torsion)),
  'points of small order added to both': (choices) =>
    signedWith(choices, choices.of(torsion), choices.of(torsion)),
};

describe('malleated signatures', () => {
  const each = 125; // of 16 kinds: 2,000
  test.each(Object.entries(malleations))('%s', async (name, malleate) => {
    const choices = new Choices(name);
    for (let count = 0; count < each; count++) {
      const signed = malleate(choices);
      const { message, signature, publicKey } = signed;
      const text = JSON.stringify(signed);
      const holds = holdsByDefinition(signed);
      expect(ed25519.verify(message, signature, publicKey), text).toBe(holds);
      const inPool = await ed25519.verifier(publicKey)?.verifyInPool(message, signature);
      expect(inPool ?? false, text).toBe(holds);
      // The library's own verification multiplies with the cofactor: never stricter, but for R of small order.
      if (holds) expect(nobleVerify(signature, message, publicKey, { zip215: false })).toBe(true);
    }
  });

  test('are 2,000, and of those that could hold some do', () => {
    expect(Object.keys(malleations).length * each).toBe(2000);
    const holding = (name: string): number => {
      const choices = new Choices(name);
      const malleate = malleations[name] ?? honest;
      return Array.from({ length: each }, () => malleate(choices)).filter(holdsByDefinition).length;
    };
    expect(holding('left as it was')).toBe(each);
    // A key of mixed order is not refused as such: what holds is what the equation says.
    const mixed = holding('a point of small order added to A');
    expect(mixed).toBeGreaterThan(20);
    expect(mixed).toBeLessThan(each);
  });
});

describe('encodings', () => {
  test('the list has every point of small order, with either sign', () => {
    expect(new Set(torsion.map((point) => point.toHex())).size).toBe(8);
    for (const point of torsion) {
      const encoded = Buffer.from(point.toBytes());
      expect(isStrictEncoding(encoded)).toBe(false);
      expect(isStrictEncoding(flipped(encoded, 255))).toBe(false);
    }
  });

  test('each y from p on is refused, and the one below is a point of order 2', () => {
    for (let y = p; y < 2n ** 255n; y++) {
      expect(isStrictEncoding(bytesOf(y))).toBe(false);
      expect(isStrictEncoding(bytesOf(y + 2n ** 255n))).toBe(false);
    }
    expect(isStrictEncoding(bytesOf(p - 1n))).toBe(false);
    expect(isStrictEncoding(bytesOf(p - 2n))).toBe(true);
  });

  test('what is accepted as a public key is what @noble decodes, without small order', () => {
    const choices = new Choices('keys');
    const encodings = Array.from({ length: 300 }, () => choices.bytes(32));
    const near = Array.from({ length: 64 }, (_, at) => bytesOf(p - 32n + BigInt(at)));
    let accepted = 0;
    for (const encoded of [...encodings, ...near]) {
      const point = decoded(encoded);
      const isAcceptable = point !== null && !point.isSmallOrder();
      expect(ed25519.isPublicKey(encoded), encoded.toString('hex')).toBe(isAcceptable);
      if (isAcceptable) accepted += 1;
    }
    expect(accepted).toBeGreaterThan(100);
  });
});
