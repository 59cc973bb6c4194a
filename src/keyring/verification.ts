import { signatureLength, type Algorithm } from '../algorithms/algorithm.ts';
import type { KeyRecord } from '../vault/key-records.ts';
import type { Verification } from '../api/signing-backend.ts';

interface Claim {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  /** null: any of the valid keys. */
  readonly kid: string | null;
}

/** Strict verification (contract section 4) against the keys that are valid now. */
export function verification(
  algorithm: Algorithm,
  valid: readonly KeyRecord[],
  { message, signature, kid }: Claim,
): Verification {
  const candidates = valid.filter((key) => kid === null || key.kid === kid);
  const refuse = (reason: string): Verification => ({ valid: false, kid, reason });
  if (signature.length !== signatureLength) {
    return refuse(`a signature has ${signatureLength} bytes, this one ${signature.length}`);
  }
  if (candidates.length === 0) return refuse(`key ${kid ?? ''} is not valid now`);
  const signer = candidates.find((key) => algorithm.verify(message, signature, key.publicKey));
  if (signer !== undefined) return { valid: true, kid: signer.kid };
  return refuse(
    kid === null
      ? 'no currently valid key made this signature over this message'
      : `key ${kid} did not make this signature over this message`,
  );
}
