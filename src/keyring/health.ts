import type { Logger } from 'pino';
import { AgentError, type ErrorKind } from '../errors.ts';
import { formatTime } from '../rfc3339.ts';

export interface KeyringFailure {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly at: string;
}

/** Whether a keyring's backend answered the last time it was asked, and how it failed last. */
export class KeyringHealth {
  readonly #now: () => number;
  readonly #log: Logger;
  #failing = false;
  #lastFailure: KeyringFailure | null = null;

  constructor(now: () => number, log: Logger) {
    this.#now = now;
    this.#log = log;
  }

  get failing(): boolean {
    return this.#failing;
  }

  get lastFailure(): KeyringFailure | null {
    return this.#lastFailure;
  }

  /** Settles as the operation does; a backend that is not available is noted and logged. */
  async observe<T>(operation: Promise<T>): Promise<T> {
    try {
      const result = await operation;
      this.#failing = false;
      return result;
    } catch (failure) {
      if (failure instanceof AgentError && failure.kind === 'backend_unavailable') {
        this.#failing = true;
        const { kind, message } = failure;
        this.#lastFailure = { kind, message, at: formatTime(this.#now()) };
        this.#log.error({ reason: message }, 'the backend failed');
      }
      throw failure;
    }
  }
}
