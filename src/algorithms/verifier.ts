import { verify, type KeyObject, type VerifyKeyObjectInput } from 'node:crypto';

/** One public key, checked once, to verify many signatures with. */
export interface Verifier {
  /** Strict verification (SECURITY.md, "Signatures"). False for anything malformed; never throws. Takes up to 0.1 ms. */
  readonly verify: (message: Uint8Array, signature: Uint8Array) => boolean;
  /** As `verify`, in libuv's thread pool: the caller's thread is held for some microseconds. Never rejects. */
  readonly verifyInPool: (message: Uint8Array, signature: Uint8Array) => Promise<boolean>;
}

/**
 * OpenSSL's verification with this key, of signatures that are `isAcceptable`. `digest`: of the message, which is what
 * is signed; null: the message itself.
 */
export function verifierWith(
  digest: 'sha256' | 'sha384' | 'sha512' | null,
  key: KeyObject | VerifyKeyObjectInput,
  isAcceptable: (signature: Uint8Array) => boolean = () => true,
): Verifier {
  return {
    verify: (message, signature) =>
      isAcceptable(signature) && verify(digest, message, key, signature),
    verifyInPool: (message, signature) => {
      if (!isAcceptable(signature)) return Promise.resolve(false);
      return new Promise((resolve) => {
        verify(digest, message, key, signature, (failure, verifies) => {
          resolve(failure === null && verifies);
        });
      });
    },
  };
}
