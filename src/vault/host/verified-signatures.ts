import type { Algorithm } from '../../algorithms/algorithm.ts';
import { kidOf } from '../../algorithms/kid.ts';
import type { Verifier } from '../../algorithms/verifier.ts';
import { AgentError } from '../../base/errors.ts';
import { LineBudget } from '../../base/line-budget.ts';
import type { World } from '../../base/world.ts';
import type { VaultKey } from '../vault.ts';
import type { MadeSignature } from './signature-jobs.ts';

/** The first, and one more where that was wrong. */
const mostAttempts = 2;
/** Lines of the log a minute: whoever may sign can have a token that is broken sign all the time. */
const mostLines = 10;

export interface VerifiedSignaturesParts {
  readonly keyring: string;
  readonly algorithm: Algorithm;
  readonly make: (key: VaultKey, message: Uint8Array) => Promise<MadeSignature>;
  /** Called for each that is wrong. */
  readonly noteWrong: () => void;
  readonly world: Pick<World, 'monotonicNow' | 'log'>;
}

/**
 * Signatures of a device, each verified before it leaves: a module or a memory that flips a bit now and then would have
 * wrong ones recorded as made. Where a thread of the vault host made one, it has done that, while the device makes
 * another's; what the host's main thread made is verified here, in the thread pool.
 */
export class VerifiedSignatures {
  readonly #parts: VerifiedSignaturesParts;
  /** Checking a public key costs some of what a verification does. */
  readonly #verifiers = new WeakMap<VaultKey, Verifier | null>();
  readonly #lines: LineBudget;
  #made = 0;
  #wrong = 0;
  #flaw: AgentError | null = null;

  constructor(parts: VerifiedSignaturesParts) {
    this.#parts = parts;
    this.#lines = new LineBudget(mostLines, parts.world.monotonicNow);
  }

  /** As Vault.flaw. */
  get flaw(): AgentError | null {
    return this.#flaw;
  }

  /** Rejects as `make` does, and with `backend_unavailable` where a second one was wrong too. */
  async make(key: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt += 1) {
      const { signature, isVerified } = await this.#parts.make(key, message);
      this.#made += 1;
      if (signature !== null) {
        if (isVerified) return signature;
        if (await this.#verifierOf(key)?.verifyInPool(message, signature)) return signature;
      }
      const flaw = this.#note(key);
      if (attempt === mostAttempts) throw flaw;
    }
  }

  #verifierOf(key: VaultKey): Verifier | null {
    let verifier = this.#verifiers.get(key);
    if (verifier === undefined) {
      verifier = this.#parts.algorithm.verifier(key.publicKey);
      this.#verifiers.set(key, verifier);
    }
    return verifier;
  }

  #note({ publicKey }: VaultKey): AgentError {
    const { keyring, noteWrong, world } = this.#parts;
    this.#wrong += 1;
    noteWrong();
    const kid = kidOf(publicKey);
    this.#flaw = new AgentError(
      'backend_unavailable',
      `keyring ${keyring}: ${this.#wrong} of ${this.#made} signatures of its device were wrong, the last one by key ` +
        `${kid}; none of them left the agent. Look after the device and its module, then start the agent again`,
    );
    this.#lines.take((leftOut) => {
      const counts = { wrong: this.#wrong, made: this.#made };
      world.log.error({ keyring, kid, ...counts, ...leftOut }, 'a device made a wrong signature');
    });
    return this.#flaw;
  }
}
