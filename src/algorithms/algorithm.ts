import { createPublicKey, type KeyObject } from 'node:crypto';
import { Point } from '@noble/ed25519';
import type { AlgorithmName } from '../api/signing-backend.ts';
import { algorithmNames, type AlgorithmNames } from './algorithm-names.ts';
import { isStrictEncoding } from './ed25519-points.ts';
import { signatureLength, tokenSignatures } from './token-signatures.ts';
import { verifierWith, type Verifier } from './verifier.ts';

/**
 * Everything that differs from one signature algorithm to the next, one entry each. Nothing outside this
 * table asks which algorithm it has in hand.
 */
export interface Algorithm extends AlgorithmNames {
  readonly name: AlgorithmName;
  /** What a token is given: mechanism and key type numbers of PKCS#11 3.0, parameters in order of preference. */
  readonly pkcs11: {
    readonly keyType: number;
    readonly generate: number;
    readonly sign: number;
    /** CKA_EC_PARAMS: the OID first; some modules know only the curve's printable name. */
    readonly ecParams: readonly Buffer[];
  };
  /** What the signature mechanism is given for a message: itself, or its digest. */
  readonly toBeSigned: (message: Uint8Array) => Uint8Array;
  /**
   * Whether these bytes are an acceptable public key. Ed25519: canonical, on the curve, not of small order.
   */
  readonly isPublicKey: (publicKey: Uint8Array) => boolean;
  /**
   * The key, to verify with. null for bytes that cannot be an acceptable key; with an Ed25519 key that is no point of
   * the curve nothing verifies.
   */
  readonly verifier: (publicKey: Uint8Array) => Verifier | null;
  /** Strict verification (SECURITY.md, "Signatures"). False for anything malformed; never throws. */
  readonly verify: (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array) => boolean;
}

const ed25519: Algorithm = {
  ...algorithmNames.ed25519,
  name: 'ed25519',
  pkcs11: {
    keyType: 0x40, // CKK_EC_EDWARDS
    generate: 0x1055, // CKM_EC_EDWARDS_KEY_PAIR_GEN
    sign: tokenSignatures.ed25519.mechanism,
    ecParams: [
      Buffer.from('06032b6570', 'hex'), // OID 1.3.101.112 (RFC 8410)
      Buffer.from('130c656477617264733235353139', 'hex'), // PrintableString "edwards25519"
    ],
  },
  toBeSigned: tokenSignatures.ed25519.toBeSigned,
  isPublicKey: isPointOfLargeOrder,
  verifier: ed25519Verifier,
  verify: (message, signature, publicKey) =>
    ed25519Verifier(publicKey)?.verify(message, signature) ?? false,
};

const es256: Algorithm = {
  ...algorithmNames.es256,
  name: 'es256',
  pkcs11: {
    keyType: 0x03, // CKK_EC
    generate: 0x1040, // CKM_EC_KEY_PAIR_GEN
    sign: tokenSignatures.es256.mechanism,
    ecParams: [Buffer.from('06082a8648ce3d030107', 'hex')], // OID 1.2.840.10045.3.1.7, secp256r1
  },
  toBeSigned: tokenSignatures.es256.toBeSigned,
  isPublicKey: (publicKey) => p256PublicKey(publicKey) !== null,
  verifier: es256Verifier,
  verify: (message, signature, publicKey) =>
    es256Verifier(publicKey)?.verify(message, signature) ?? false,
};

export const algorithms: Readonly<Record<AlgorithmName, Algorithm>> = { ed25519, es256 };

/** As strict verification wants them, and on the curve: noble throws for every encoding that is no point. */
function isPointOfLargeOrder(encoded: Uint8Array): boolean {
  if (!isStrictEncoding(encoded)) return false;
  try {
    Point.fromBytes(encoded);
    return true;
  } catch {
    return false;
  }
}

/**
 * OpenSSL takes no S from L on, no A off the curve, and compares R byte by byte with the R that the equation without
 * the cofactor gives (RFC 8032, 5.1.7), so that an R which is not reduced, or no point, equals none. What it lacks of
 * ed25519-dalek's `verify_strict` are the rules on encodings.
 */
function ed25519Verifier(publicKey: Uint8Array): Verifier | null {
  if (!isStrictEncoding(publicKey)) return null;
  const key = ed25519PublicKey(publicKey);
  return verifierWith(
    null,
    key,
    (signature) =>
      signature.length === signatureLength && isStrictEncoding(signature.subarray(0, 32)),
  );
}

function es256Verifier(publicKey: Uint8Array): Verifier | null {
  const key = p256PublicKey(publicKey);
  const input = key && { key, dsaEncoding: 'ieee-p1363' as const };
  return input && verifierWith('sha256', input, ({ length }) => length === signatureLength);
}

/** From a JWK: a tenth of what OpenSSL takes to decode the same key's DER. */
function ed25519PublicKey(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}

function p256PublicKey(publicKey: Uint8Array): KeyObject | null {
  if (publicKey.length !== 65 || publicKey[0] !== 0x04) return null;
  const coordinate = (from: number): string =>
    Buffer.from(publicKey.subarray(from, from + 32)).toString('base64url');
  try {
    return createPublicKey({
      key: { kty: 'EC', crv: 'P-256', x: coordinate(1), y: coordinate(33) },
      format: 'jwk',
    });
  } catch {
    return null; // not on the curve
  }
}
