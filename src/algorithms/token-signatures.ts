import { createHash } from 'node:crypto';
import type { AlgorithmName } from '../api/signing-backend.ts';

/** Both algorithms answer with 64 raw bytes. */
export const signatureLength = 64;

/** How a PKCS#11 token signs. */
export interface TokenSignature {
  /** CKM_... of C_SignInit. */
  readonly mechanism: number;
  /** What the mechanism is given for a message: itself, or its digest. */
  readonly toBeSigned: (message: Uint8Array) => Uint8Array;
}

/** One entry an algorithm, without anything that verifies: a thread that signs loads no more than this. */
export const tokenSignatures: Readonly<Record<AlgorithmName, TokenSignature>> = {
  ed25519: {
    mechanism: 0x1057, // CKM_EDDSA
    toBeSigned: (message) => message,
  },
  es256: {
    mechanism: 0x1041, // CKM_ECDSA
    toBeSigned: (message) => createHash('sha256').update(message).digest(),
  },
};
