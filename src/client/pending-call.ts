import { factsOf } from '../api/methods.ts';
import { ConnectionError } from './connection-error.ts';
import type { Channel } from './channel.ts';

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
  readonly settled: (call: PendingCall) => void;
}

/** The longest delay that a Node timer keeps, in milliseconds. */
const maxDelay = 2 ** 31 - 1;

/** One call from the moment it is made to its one outcome: an answer, a failure, its deadline or its signal. */
export class PendingCall {
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

  /** False too for a method that this version does not know. */
  get isRepeatable(): boolean {
    return factsOf(this.method)?.shownBy === null;
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
    const unknown = `; whether ${this.method} was done is unknown`;
    const shownBy = factsOf(this.method)?.shownBy;
    if (!shownBy) return `${unknown}: this client does not know the method, nor what shows it`;
    const { method, command } = shownBy;
    return `${unknown}: ${method}${command === null ? '' : ` (${command})`} shows it`;
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#outcome.settled(this);
    return true;
  }
}
