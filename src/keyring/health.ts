import type { Logger } from 'pino';
import { AgentError, type ErrorKind } from '../base/errors.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { Vault } from '../vault/vault.ts';

export interface KeyringFailure {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly at: string;
}

interface Noted {
  readonly error: AgentError;
  readonly failure: KeyringFailure;
}

/** Whether a keyring's backend answered the last time it was asked, and how it failed last. */
export class KeyringHealth {
  readonly #now: () => number;
  readonly #log: Logger;
  readonly #vault: Pick<Vault, 'outage' | 'flaw' | 'openings'>;
  /** At which opening of the vault it failed last; null where it has answered since. */
  #failedAt: number | null = null;
  #outage: Noted | null = null;
  #flaw: Noted | null = null;
  #lastFailure: KeyringFailure | null = null;

  constructor(vault: Pick<Vault, 'outage' | 'flaw' | 'openings'>, now: () => number, log: Logger) {
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
    this.#outage = this.#noted(this.#vault.outage, this.#outage);
    return this.#outage?.failure ?? null;
  }

  /** Why the vault is not to be trusted though it answers, and since when that is known here; null where it is. */
  get flaw(): KeyringFailure | null {
    this.#flaw = this.#noted(this.#vault.flaw, this.#flaw);
    return this.#flaw?.failure ?? null;
  }

  #noted(error: AgentError | null, before: Noted | null): Noted | null {
    if (error === null || error === before?.error) return error === null ? null : before;
    const { kind, message } = error;
    return { error, failure: { kind, message, at: formatTime(this.#now()) } };
  }

  /** The backend has done what it was asked. */
  answered(): void {
    this.#failedAt = null;
  }

  /** It has not: one that is not available is noted and logged. */
  failed(failure: unknown): void {
    if (!(failure instanceof AgentError) || failure.kind !== 'backend_unavailable') return;
    this.#failedAt = this.#vault.openings;
    const { kind, message } = failure;
    this.#lastFailure = { kind, message, at: formatTime(this.#now()) };
    this.#log.error({ reason: message }, 'the backend failed');
  }
}
