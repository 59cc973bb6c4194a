import { kidOf } from '../../../algorithms/kid.ts';
import type { Verification } from '../../../api/signing-backend.ts';
import { algorithms } from '../../../algorithms/algorithm.ts';
import { signatureLength } from '../../../algorithms/token-signatures.ts';
import type { GivenKey } from './given-key.ts';

/** Strict verification (SECURITY.md, "Signatures") against one key, without an agent. */
export function verifyWithKey(
  message: Uint8Array,
  signature: Uint8Array,
  given: GivenKey,
): Verification {
  const kid = kidOf(given.bytes);
  const algorithm = algorithms[given.algorithm];
  const refuse = (reason: string): Verification => ({ valid: false, kid, reason });
  if (!algorithm.isPublicKey(given.bytes)) {
    return refuse(`the public key is not an acceptable ${algorithm.name} point`);
  }
  if (signature.length !== signatureLength) {
    return refuse(`a signature has ${signatureLength} bytes, this one has ${signature.length}`);
  }
  if (!algorithm.verify(message, signature, given.bytes)) {
    return refuse('the signature does not fit this message and key');
  }
  return { valid: true, kid };
}
