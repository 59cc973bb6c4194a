import type { Logger } from 'pino';
import { AgentError, describeFailure } from '../../base/errors.ts';
import type { Seal, SealStore } from '../../vault/vault.ts';
import { sealFault, type SealedDocument, type SealFault } from './seal.ts';
import type { SealWorld } from '../../vault/state-store.ts';

const keyLength = 32;

/**
 * The seal of one keyring's records while they are in use: its key and the last counter that was seen, held in
 * memory so that records are checked without asking the token, and raised in the token after each save.
 */
export class SealKeeper {
  readonly #store: SealStore;
  readonly #key: Uint8Array;
  readonly #log: Logger;
  #counter: number;

  constructor(store: SealStore, seal: Seal, log: Logger) {
    this.#store = store;
    this.#key = seal.key;
    this.#counter = seal.counter;
    this.#log = log;
  }

  /** Makes the token's first seal, with counter 0; null where the token cannot keep one, which is logged. */
  static async begin(
    store: SealStore,
    { randomBytes, log }: SealWorld,
  ): Promise<SealKeeper | null> {
    const seal = { key: randomBytes(keyLength), counter: 0 };
    try {
      await store.write(seal);
    } catch (failure) {
      if (!(failure instanceof AgentError) || failure.kind !== 'not_supported') throw failure;
      log.warn(
        { reason: failure.message },
        'this token keeps no seal: an older copy of the key records that is put back will not be noticed',
      );
      return null;
    }
    log.info('the key records are sealed from now on: an older copy that is put back is noticed');
    return new SealKeeper(store, seal, log);
  }

  /** null where the records are the newest that were seen; they are then what the next ones must not be behind. */
  check(document: SealedDocument): SealFault | null {
    const fault = sealFault(document, { key: this.#key, counter: this.#counter });
    if (fault === null) this.#counter = document.seal?.counter ?? this.#counter;
    return fault;
  }

  /** What the next save is sealed with. */
  next(): Seal {
    return { key: this.#key, counter: this.#counter + 1 };
  }

  /**
   * Records with that counter are durable: raises the token's. Where the token cannot, the change stands, and
   * the next save tries again; until then the records before it would pass for the newest at a start.
   */
  async raise(counter: number): Promise<void> {
    this.#counter = counter;
    try {
      await this.#store.write({ key: this.#key, counter });
    } catch (failure) {
      this.#log.warn(
        { counter, reason: describeFailure(failure) },
        "the key records were saved, but the counter of the token's seal could not be raised: the next save does it",
      );
    }
  }
}
