import { decodeBase64 } from '../../base/base64.ts';
import type { AlgorithmName } from '../../api/signing-backend.ts';
import { algorithms } from '../../algorithms/algorithm.ts';
import { signedBytes, type AuditRecord } from './record.ts';

/** A public key that may have signed records. */
export interface VerifyingKey {
  readonly algorithm: AlgorithmName;
  /** Ed25519: 32 bytes. ES256: 65 bytes, 04 first. */
  readonly bytes: Uint8Array;
}

export type SignatureFinding =
  /** Records of that event are not signed, or this one could not be. */
  | { readonly signature: 'none' }
  | { readonly signature: 'good'; readonly signer: string }
  | { readonly signature: 'bad'; readonly fault: string };

/** Verifies a record's signature, strictly. `keys`: by key id. */
export function signatureOf(
  record: AuditRecord,
  keys: ReadonlyMap<string, VerifyingKey>,
): SignatureFinding {
  const { signer, signature = '' } = record;
  if (signer === undefined || signer === null) return { signature: 'none' };
  const key = keys.get(signer);
  if (key === undefined) {
    const fault = `it is signed by ${signer}, which is none of the keys to verify with`;
    return { signature: 'bad', fault };
  }
  const bytes = decodeBase64(signature) ?? Buffer.alloc(0);
  if (algorithms[key.algorithm].verify(signedBytes(record), bytes, key.bytes)) {
    return { signature: 'good', signer };
  }
  return { signature: 'bad', fault: `its signature is not one of key ${signer} over this record` };
}
