import { ConnectionError } from './connection-error.ts';
import type { Channel } from './channel.ts';

/** What a call may be limited by. */
export interface CallLimits {
  /** Rejects the call with the signal's reason; what the agent answers later is dropped. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from the call to its deadline, above 0; Infinity for none. */
  readonly timeoutMs?: number | undefined;
}

export interface CallRequest {
  readonly id: number;
  readonly method: string;
  /** The frame with its newline; empty for a call that only waits for a connection. */
  readonly line: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

export interface CallOutcome {
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
  /** Called once, before either of the others. */
  readonly settled: (call: Call) => void;
}

/** The longest delay that a Node timer keeps, in milliseconds. */
const maxDelay = 2 ** 31 - 1;

/**
 * Methods that change nothing, or nothing twice: they may be sent again when an answer was lost. Not `authenticate`:
 * it is about the connection that it was sent on.
 */
const repeatable: ReadonlySet<string> = new Set([
  'describe_backend',
  'active_key_id',
  'public_key_b64',
  'list_valid_pubkeys',
  'sign',
  'sign_batch',
  'verify',
  'jwks',
  'jwt_sign',
  'jwt_verify',
  'list_keys',
  'apikey_list',
  'ping',
  'whoami',
  'status',
]);

/** What shows whether a method was done, where that is not the list of keys. */
const shows: Readonly<Record<string, string>> = {
  unlock: 'status (agentctl status)',
  lock: 'status (agentctl status)',
  authenticate: 'whoami',
  apikey_create: 'apikey_list (agentctl apikey list)',
  apikey_update: 'apikey_list (agentctl apikey list)',
  apikey_revoke: 'apikey_list (agentctl apikey list)',
};

/** One call from the moment it is made to its one outcome: an answer, a failure, its deadline or its signal. */
export class Call {
  readonly id: number;
  readonly method: string;
  readonly line: string;
  readonly signal: AbortSignal | undefined;
  /** How often it was handed to a connection. */
  attempts = 0;
  /** Where its answer is expected; null while it waits to be sent. */
  channel: Channel | null = null;
  #settled = false;
  readonly #outcome: CallOutcome;
  readonly #timer: NodeJS.Timeout | null;

  constructor(request: CallRequest, outcome: CallOutcome) {
    this.id = request.id;
    this.method = request.method;
    this.line = request.line;
    this.#outcome = outcome;
    this.signal = request.signal;
    const { timeoutMs } = request;
    this.#timer =
      timeoutMs > maxDelay
        ? null
        : setTimeout(() => {
            this.expire(timeoutMs);
          }, timeoutMs);
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  get isRepeatable(): boolean {
    return repeatable.has(this.method);
  }

  resolve(result: unknown): void {
    if (this.#settle()) this.#outcome.resolve(result);
  }

  reject(reason: unknown): void {
    if (this.#settle()) this.#outcome.reject(reason);
  }

  /** Rejects: its connection is gone and it will not be sent again. */
  lose(failure: ConnectionError): void {
    const { reason, message } = failure;
    const doubt = this.#doubt();
    this.reject(
      doubt === '' ? failure : new ConnectionError(reason, message + doubt, { cause: failure }),
    );
  }

  /** Rejects: its time is up. */
  expire(timeoutMs: number): void {
    const what = this.method === 'connect' ? 'no connection' : `no answer to ${this.method}`;
    this.reject(new ConnectionError('timeout', `${what} within ${timeoutMs} ms${this.#doubt()}`));
  }

  /** What a caller must know of a call that was sent, may have been done, and will not be sent again. */
  #doubt(): string {
    if (this.attempts === 0 || this.isRepeatable) return '';
    const shownBy = shows[this.method] ?? 'list_keys (agentctl keys list)';
    return `; whether ${this.method} was done is unknown: ${shownBy} shows it`;
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#outcome.settled(this);
    return true;
  }
}
