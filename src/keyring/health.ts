import type { Logger } from 'pino';
import { AgentError, type ErrorKind } from '../base/errors.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { Vault } from '../vault/vault.ts';

export interface KeyringFailure {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly at: string;
}

/** Whether a keyring's backend answered the last time it was asked, and how it failed last. */
export class KeyringHealth {
  readonly #now: () => number;
  readonly #log: Logger;
  readonly #vault: Pick<Vault, 'outage' | 'openings'>;
  /** At which opening of the vault it failed last; null where it has answered since. */
  #failedAt: number | null = null;
  #outage: { readonly error: AgentError; readonly failure: KeyringFailure } | null = null;
  #lastFailure: KeyringFailure | null = null;

  constructor(vault: Pick<Vault, 'outage' | 'openings'>, now: () => number, log: Logger) {
    this.#vault = vault;
    this.#now = now;
    this.#log = log;
  }

  get failing(): boolean {
    return this.#failedAt === this.#vault.openings;
  }

  get lastFailure(): KeyringFailure | null {
    return this.#lastFailure;
  }

  /** Why nothing can be had from the vault at present, and since when that is known here; null where it can. */
  get outage(): KeyringFailure | null {
    const { outage } = this.#vault;
    if (outage === null) return (this.#outage = null);
    if (this.#outage?.error !== outage) {
      const { kind, message } = outage;
      const failure = { kind, message, at: formatTime(this.#now()) };
      this.#outage = { error: outage, failure };
    }
    return this.#outage.failure;
  }

  /** Settles as the operation does; a backend that is not available is noted and logged. */
  async observe<T>(operation: Promise<T>): Promise<T> {
    try {
      const result = await operation;
      this.#failedAt = null;
      return result;
    } catch (failure) {
      if (failure instanceof AgentError && failure.kind === 'backend_unavailable') {
        this.#failedAt = this.#vault.openings;
        const { kind, message } = failure;
        this.#lastFailure = { kind, message, at: formatTime(this.#now()) };
        this.#log.error({ reason: message }, 'the backend failed');
      }
      throw failure;
    }
  }
}
