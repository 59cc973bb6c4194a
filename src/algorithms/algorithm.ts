import {
  createHash,
  createPublicKey,
  verify as verifySignature,
  type KeyObject,
} from 'node:crypto';
import { Point } from '@noble/ed25519';
import type { AlgorithmName } from '../api/signing-backend.ts';
import { algorithmNames, type AlgorithmNames } from './algorithm-names.ts';

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
  /** Strict verification, contract section 4. False for anything malformed; never throws. */
  readonly verify: (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array) => boolean;
}

/** Both algorithms answer with 64 raw bytes. */
export const signatureLength = 64;

const ed25519: Algorithm = {
  ...algorithmNames.ed25519,
  name: 'ed25519',
  pkcs11: {
    keyType: 0x40, // CKK_EC_EDWARDS
    generate: 0x1055, // CKM_EC_EDWARDS_KEY_PAIR_GEN
    sign: 0x1057, // CKM_EDDSA
    ecParams: [
      Buffer.from('06032b6570', 'hex'), // OID 1.3.101.112 (RFC 8410)
      Buffer.from('130c656477617264733235353139', 'hex'), // PrintableString "edwards25519"
    ],
  },
  toBeSigned: (message) => message,
  isPublicKey: (publicKey) => publicKey.length === 32 && isAcceptablePoint(publicKey),
  verify: (message, signature, publicKey) => {
    if (signature.length !== signatureLength || publicKey.length !== 32) return false;
    if (!isAcceptablePoint(publicKey) || !isAcceptablePoint(signature.subarray(0, 32)))
      return false;
    // OpenSSL checks S < L and the equation without the cofactor, comparing R byte by byte (RFC 8032, 5.1.7).
    return verifySignature(null, message, ed25519PublicKey(publicKey), signature);
  },
};

const es256: Algorithm = {
  ...algorithmNames.es256,
  name: 'es256',
  pkcs11: {
    keyType: 0x03, // CKK_EC
    generate: 0x1040, // CKM_EC_KEY_PAIR_GEN
    sign: 0x1041, // CKM_ECDSA
    ecParams: [Buffer.from('06082a8648ce3d030107', 'hex')], // OID 1.2.840.10045.3.1.7, secp256r1
  },
  toBeSigned: (message) => createHash('sha256').update(message).digest(),
  isPublicKey: (publicKey) => p256PublicKey(publicKey) !== null,
  verify: (message, signature, publicKey) => {
    const key = p256PublicKey(publicKey);
    if (key === null || signature.length !== signatureLength) return false;
    return verifySignature('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  },
};

export const algorithms: Readonly<Record<AlgorithmName, Algorithm>> = { ed25519, es256 };

/**
 * The rules on points that OpenSSL does not have and ed25519-dalek's `verify_strict` does: the encoding is
 * canonical (y < p, no negative zero) and the point is none of the eight of small order.
 */
function isAcceptablePoint(encoded: Uint8Array): boolean {
  try {
    return !Point.fromBytes(encoded).isSmallOrder();
  } catch {
    return false; // noble throws for every encoding that is no point
  }
}

function ed25519PublicKey(publicKey: Uint8Array): KeyObject {
  return createPublicKey({
    key: Buffer.concat([algorithmNames.ed25519.spkiPrefix, publicKey]),
    format: 'der',
    type: 'spki',
  });
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
