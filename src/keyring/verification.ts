import type { Algorithm } from '../algorithms/algorithm.ts';
import { signatureLength } from '../algorithms/token-signatures.ts';
import type { Verifier } from '../algorithms/verifier.ts';
import type { Verification } from '../api/signing-backend.ts';
import { AgentError } from '../base/errors.ts';
import type { KeyRecord } from '../vault/key-records.ts';

interface Claim {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  /** null: any of the valid keys. */
  readonly kid: string | null;
}

/** Keys that a signature is tried with where nobody says whose it is. */
const mostTried = 16;

/** Verifies against the keys of one keyring, each of which is checked once. */
export class Verifications {
  readonly #algorithm: Algorithm;
  readonly #verifiers = new WeakMap<KeyRecord, { readonly of: Verifier | null }>();

  constructor(algorithm: Algorithm) {
    this.#algorithm = algorithm;
  }

  /**
   * Strict verification (SECURITY.md, "Signatures") in the thread pool, against the keys that are valid now. Rejects with
   * `too_large` with `limit` where no kid is named, and none of the first so many keys made the signature.
   */
  async of(valid: readonly KeyRecord[], claim: Claim): Promise<Verification> {
    const { message, signature, kid } = claim;
    const candidates = valid.filter((key) => kid === null || key.kid === kid);
    const refuse = (reason: string): Verification => ({ valid: false, kid, reason });
    if (signature.length !== signatureLength) {
      return refuse(`a signature has ${signatureLength} bytes, this one ${signature.length}`);
    }
    if (candidates.length === 0) return refuse(`key ${kid ?? ''} is not valid now`);
    for (const key of candidates.slice(0, mostTried)) {
      const made = await this.#verifierOf(key)?.verifyInPool(message, signature);
      if (made === true) return { valid: true, kid: key.kid };
    }
    if (candidates.length > mostTried) throw tooManyKeys(candidates.length);
    return refuse(
      kid === null
        ? 'no currently valid key made this signature over this message'
        : `key ${kid} did not make this signature over this message`,
    );
  }

  #verifierOf(key: KeyRecord): Verifier | null {
    const known = this.#verifiers.get(key);
    if (known !== undefined) return known.of;
    const of = this.#algorithm.verifier(key.publicKey);
    this.#verifiers.set(key, { of });
    return of;
  }
}

function tooManyKeys(keys: number): AgentError {
  return new AgentError(
    'too_large',
    `${keys} keys are valid, and a signature is tried with ${mostTried} of them: name the key (kid)`,
    { details: { limit: mostTried } },
  );
}
