import { createHash } from 'node:crypto';
import { emptySized, readWhole, sized, TpmFormatError, u16, u32, type TpmReader } from './bytes.ts';
import { ALG, P256 } from './constants.ts';

/** TPMT_PUBLIC (Part 2, 12.2.4) of the kinds that are used or met here. */
export type PublicArea = EccArea | KeyedHashArea | RsaArea;

interface AnyArea {
  /** TPM_ALG_ID of the digest that makes the name. */
  readonly nameAlg: number;
  /** TPMA_OBJECT */
  readonly attributes: number;
  readonly authPolicy: Uint8Array;
}

/** AES of a storage key that wraps its children; null where it wraps none. */
interface Symmetric {
  readonly algorithm: number;
  readonly keyBits: number;
  readonly mode: number;
}

/** TPM_ALG_ID of the scheme and of its digest; null where each signature says which. */
interface Scheme {
  readonly scheme: number;
  readonly hash: number;
}

export interface EccArea extends AnyArea {
  readonly type: 'ecc';
  readonly symmetric: Symmetric | null;
  readonly scheme: Scheme | null;
  /** TPM_ECC_CURVE */
  readonly curve: number;
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

/** A sealed object, which has no scheme. */
interface KeyedHashArea extends AnyArea {
  readonly type: 'keyedhash';
  readonly unique: Uint8Array;
}

interface RsaArea extends AnyArea {
  readonly type: 'rsa';
  readonly symmetric: Symmetric | null;
  readonly scheme: Scheme | null;
  readonly keyBits: number;
  /** 0 stands for 65537. */
  readonly exponent: number;
  readonly modulus: Uint8Array;
}

const digests: ReadonlyMap<number, string> = new Map([
  [0x0004, 'sha1'],
  [ALG.SHA256, 'sha256'],
  [0x000c, 'sha384'],
  [0x000d, 'sha512'],
]);

/** node:crypto's name of a TPM_ALG_ID. Throws TpmFormatError for one that is none, or not known. */
export function digestName(algorithm: number): string {
  const name = digests.get(algorithm);
  if (name !== undefined) return name;
  throw new TpmFormatError(`0x${algorithm.toString(16)} is no digest that is known here`);
}

/** The name of an object: the algorithm's number and the digest of its public area (Part 1, 16). */
export function nameOf(area: Uint8Array): Buffer {
  const algorithm = readPublicArea(area).nameAlg;
  return Buffer.concat([u16(algorithm), createHash(digestName(algorithm)).update(area).digest()]);
}

export function encodePublicArea(area: PublicArea): Buffer {
  const common = (type: number): Buffer =>
    Buffer.concat([u16(type), u16(area.nameAlg), u32(area.attributes), sized(area.authPolicy)]);
  switch (area.type) {
    case 'ecc':
      return Buffer.concat([
        common(ALG.ECC),
        encodeSymmetric(area.symmetric),
        encodeScheme(area.scheme),
        u16(area.curve),
        u16(ALG.NULL), // key derivation
        sized(area.x),
        sized(area.y),
      ]);
    case 'keyedhash':
      return Buffer.concat([common(ALG.KEYEDHASH), u16(ALG.NULL), sized(area.unique)]);
    case 'rsa':
      return Buffer.concat([
        common(ALG.RSA),
        encodeSymmetric(area.symmetric),
        encodeScheme(area.scheme),
        u16(area.keyBits),
        u32(area.exponent),
        sized(area.modulus),
      ]);
  }
}

/** Throws TpmFormatError, also for what is left over. */
export function readPublicArea(bytes: Uint8Array): PublicArea {
  return readWhole(bytes, 'a public area', readArea);
}

function readArea(reader: TpmReader): PublicArea {
  const type = reader.u16();
  const common = {
    nameAlg: reader.u16(),
    attributes: reader.u32(),
    authPolicy: reader.sized(),
  };
  switch (type) {
    case ALG.ECC: {
      const [symmetric, scheme] = [readSymmetric(reader), readScheme(reader)];
      const curve = reader.u16();
      readScheme(reader);
      return {
        type: 'ecc',
        ...common,
        symmetric,
        scheme,
        curve,
        x: reader.sized(),
        y: reader.sized(),
      };
    }
    case ALG.KEYEDHASH: {
      const scheme = reader.u16();
      if (scheme !== ALG.NULL) {
        throw new TpmFormatError('a keyed hash with a scheme is no sealed object');
      }
      return { type: 'keyedhash', ...common, unique: reader.sized() };
    }
    case ALG.RSA: {
      const [symmetric, scheme] = [readSymmetric(reader), readScheme(reader)];
      const [keyBits, exponent] = [reader.u16(), reader.u32()];
      return {
        type: 'rsa',
        ...common,
        symmetric,
        scheme,
        keyBits,
        exponent,
        modulus: reader.sized(),
      };
    }
    default:
      throw new TpmFormatError(`a public area of type 0x${type.toString(16)} is not known here`);
  }
}

function encodeSymmetric(symmetric: Symmetric | null): Buffer {
  if (symmetric === null) return u16(ALG.NULL);
  const { algorithm, keyBits, mode } = symmetric;
  return Buffer.concat([u16(algorithm), u16(keyBits), u16(mode)]);
}

function readSymmetric(reader: TpmReader): Symmetric | null {
  const algorithm = reader.u16();
  if (algorithm === ALG.NULL) return null;
  return { algorithm, keyBits: reader.u16(), mode: reader.u16() };
}

function encodeScheme(scheme: Scheme | null): Buffer {
  return scheme === null ? u16(ALG.NULL) : Buffer.concat([u16(scheme.scheme), u16(scheme.hash)]);
}

function readScheme(reader: TpmReader): Scheme | null {
  const scheme = reader.u16();
  return scheme === ALG.NULL ? null : { scheme, hash: reader.u16() };
}

const coordinateLength = 32;

/** The uncompressed point (SEC 1, 2.3.3) of a P-256 key; null for another key. A TPM may leave leading zeros out. */
export function pointOf(area: PublicArea): Buffer | null {
  if (area.type !== 'ecc' || area.curve !== P256) return null;
  const { x, y } = area;
  if (x.length > coordinateLength || y.length > coordinateLength) return null;
  const point = Buffer.alloc(1 + 2 * coordinateLength);
  point[0] = 4;
  point.set(x, 1 + coordinateLength - x.length);
  point.set(y, 1 + 2 * coordinateLength - y.length);
  return point;
}

/** TPM2B_SENSITIVE_CREATE: the authorisation value, and what is sealed (nothing for a key). */
export function encodeSensitive(auth: Uint8Array, data: Uint8Array): Buffer {
  const content = Buffer.concat([sized(auth), data.length === 0 ? emptySized : sized(data)]);
  return sized(content);
}
