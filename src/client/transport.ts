import { AgentError, errnoName } from '../base/errors.ts';
import { AbortWatch } from './abort-watch.ts';
import { secretFrom, type ApiKeySource } from './secret.ts';
import { PendingCall, type CallRequest } from './pending-call.ts';
import type { CallOptions } from './call-options.ts';
import { Channel, type ChannelOwner } from './channel.ts';
import { ConnectionError } from './connection-error.ts';
import { readAnswer, requestLine, type Answer } from './lines.ts';
import { SendQueue } from './send-queue.ts';
import { TrustedListener } from './trusted-listener.ts';

/** Calls given up by their callers that one connection may still owe an answer to. */
const maxAbandoned = 4096;

const firstRetryMs = 20;
const lastRetryMs = 200;

/** How long an agent that went away may take to come back for calls that were in flight, milliseconds. */
const returnMs = 2000;

/**
 * Calls over one connection at a time: many in flight, matched by id. Calls of one tick leave in one write;
 * while the kernel takes no more they wait in a queue of bounded size.
 *
 * After a lost connection the next call connects again, once. Calls that were in flight are sent once more
 * if that is safe, and for those an agent that restarts is waited for; the others fail with `lost`.
 *
 * With an API key every connection authenticates before anything else goes out on it. Where that is refused, the
 * calls that wait fail as it did, the connection is closed, and the next call tries again.
 */
export class Transport implements ChannelOwner {
  readonly #path: string;
  readonly #timeoutMs: number;
  readonly #queue = new SendQueue();
  readonly #aborts = new AbortWatch();
  readonly #calls = new Map<number, PendingCall>();
  /** Ids on this connection whose callers wait no more: their answers are dropped, not unknown. */
  readonly #abandoned = new Set<number>();
  #channel: Channel | null = null;
  #apiKey: ApiKeySource | null;
  /** The connection that calls may go out on: it has authenticated, or needs not. */
  #ready: Channel | null = null;
  #nextId = 1;
  #flushing = false;
  #blocked = false;
  #retryMs = firstRetryMs;
  /** When connecting failed first since there was a connection, on the clock of `performance`. */
  #awaySince: number | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed: (() => void) | null = null;
  #whenClosed: Promise<void> | null = null;

  readonly #listener: TrustedListener;

  constructor(
    path: string,
    timeoutMs: number,
    apiKey: ApiKeySource | null,
    agentUser: string | number | null,
  ) {
    this.#path = path;
    this.#listener = new TrustedListener(path, agentUser);
    this.#timeoutMs = timeoutMs;
    this.#apiKey = apiKey;
  }

  /** Resolves once there is a connection. */
  async open(limits: CallOptions): Promise<void> {
    await this.#enqueue('connect', null, limits);
  }

  async call(method: string, params: object, limits: CallOptions): Promise<unknown> {
    if (this.#listener.isSecret(method)) await this.#listener.prepare();
    return this.#enqueue(method, params, limits);
  }

  /** Gives the connection what the API key has; from now on every later one too. */
  async authenticate(apiKey: ApiKeySource, limits: CallOptions): Promise<unknown> {
    const api_key = await secretFrom(apiKey);
    const result = await this.call('authenticate', { api_key }, limits);
    this.#apiKey = apiKey;
    return result;
  }

  /** Ends the connection for good and rejects what is in flight. */
  close(): Promise<void> {
    this.#whenClosed ??= new Promise((resolve) => {
      this.#closed = resolve;
      if (this.#retry !== null) clearTimeout(this.#retry);
      const failure = new ConnectionError('lost', 'this client was closed');
      for (const call of this.#calls.values()) call.lose(failure);
      if (this.#channel === null) resolve();
      else this.#channel.fail(failure);
    });
    return this.#whenClosed;
  }

  opened(channel: Channel): void {
    this.#retryMs = firstRetryMs;
    this.#awaySince = null;
    if (this.#apiKey !== null) {
      void this.#introduce(channel, this.#apiKey);
    } else {
      this.#ready = channel;
      this.#flush();
    }
  }

  drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  line(channel: Channel, text: string): void {
    const answer = readAnswer(text);
    if (answer === null) this.#breach(channel, 'a line that is no JSON-RPC answer');
    else if (answer.id === null && answer.error !== null) this.#refused(channel, answer.error);
    else this.#answered(channel, answer);
  }

  closed(channel: Channel, failure: ConnectionError): void {
    this.#channel = null;
    this.#blocked = false;
    this.#abandoned.clear();
    if (!channel.wasOpen) {
      this.#unreachable(failure);
    } else if (this.#ready !== channel) {
      // Nothing was sent on it. Connecting again at once could go on for ever.
      for (const call of this.#calls.values()) call.lose(failure);
    } else {
      const orphans = [...this.#calls.values()].filter((call) => call.channel === channel);
      const repeats = orphans.filter(
        (call) => failure.reason === 'lost' && call.isRepeatable && call.attempts < 2,
      );
      for (const call of repeats) call.channel = null;
      this.#queue.putBack(repeats);
      for (const call of orphans) {
        if (call.channel === channel) call.lose(failure);
      }
      if (!this.#queue.isEmpty) this.#connect();
    }
    this.#closed?.();
  }

  #enqueue(method: string, params: object | null, limits: CallOptions): Promise<unknown> {
    const timeoutMs = limits.timeoutMs ?? this.#timeoutMs;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs must be above 0: ${timeoutMs}`);
      limits.signal?.throwIfAborted();
      if (this.#whenClosed !== null) throw new ConnectionError('lost', 'this client was closed');
      const line = params === null ? '' : requestLine(id, method, params);
      if (!this.#queue.hasRoomFor(line)) {
        throw new AgentError('overloaded', 'too many calls wait to be sent to the agent');
      }
      const request: CallRequest = { id, method, line, timeoutMs, signal: limits.signal };
      const call = new PendingCall(request, { resolve, reject, settled: this.#forget });
      this.#calls.set(id, call);
      if (call.signal !== undefined) this.#aborts.add(call.signal, call);
      this.#queue.add(call);
      this.#flushSoon();
    });
  }

  readonly #forget = (call: PendingCall): void => {
    if (call.signal !== undefined) this.#aborts.remove(call.signal, call);
    if (!this.#calls.delete(call.id)) return;
    if (call.channel === null) this.#queue.drop(call);
    else if (call.channel === this.#channel) this.#abandoned.add(call.id);
    if (this.#abandoned.size > maxAbandoned) {
      const why = `the agent at ${this.#path} left ${maxAbandoned} calls unanswered`;
      this.#channel?.fail(new ConnectionError('lost', why));
    }
  };

  /** After the current tick and its microtasks, so that calls made together are written together. */
  #flushSoon(): void {
    if (this.#flushing || this.#blocked) return;
    this.#flushing = true;
    process.nextTick(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#channel === null) {
      if (this.#retry === null && !this.#queue.isEmpty) this.#connect();
      return;
    }
    const channel = this.#channel;
    if (this.#blocked || !channel.isOpen || this.#ready !== channel) return;
    while (!this.#queue.isEmpty) {
      const text = this.#nextFrames(channel);
      if (text !== '' && !channel.write(text)) {
        this.#blocked = true;
        return;
      }
    }
  }

  #nextFrames(channel: Channel): string {
    let text = '';
    for (const call of this.#queue.takeBatch()) {
      const refusal = this.#listener.isSecret(call.method)
        ? this.#listener.refusal(channel.socket)
        : null;
      if (refusal !== null) {
        this.#settle(call, refusal, undefined);
        continue;
      }
      call.channel = channel;
      call.attempts += 1;
      if (call.line === '') this.#settle(call, null, undefined);
      else text += call.line;
    }
    return text;
  }

  /** Authenticates, and only then lets calls out. Never rejects. */
  async #introduce(channel: Channel, apiKey: ApiKeySource): Promise<void> {
    try {
      await this.#listener.prepare();
      if (this.#channel !== channel) return;
      const refusal = this.#listener.refusal(channel.socket);
      if (refusal !== null) throw refusal;
      const params = { api_key: await secretFrom(apiKey) };
      if (this.#channel !== channel) return;
      await this.#ask(channel, 'authenticate', params);
      this.#ready = channel;
      this.#flush();
    } catch (failure) {
      if (this.#channel !== channel) return;
      if (failure instanceof ConnectionError) {
        channel.fail(failure);
        return;
      }
      for (const call of this.#calls.values()) call.reject(failure);
      channel.fail(new ConnectionError('lost', 'the API key was not accepted', { cause: failure }));
      this.#ready = channel; // nothing goes out on it any more: calls from now on are for the next one
    }
  }

  /** One call that goes out at once, before those that wait. */
  #ask(channel: Channel, method: string, params: object): Promise<unknown> {
    const id = this.#nextId++;
    const line = requestLine(id, method, params);
    return new Promise((resolve, reject) => {
      const request = { id, method, line, timeoutMs: this.#timeoutMs, signal: undefined };
      const call = new PendingCall(request, { resolve, reject, settled: this.#forget });
      call.channel = channel;
      this.#calls.set(id, call);
      channel.write(line);
    });
  }

  #connect(): void {
    if (this.#whenClosed === null) this.#channel = new Channel(this.#path, this);
  }

  /** Calls that were never sent fail at once; the others wait for an agent that may be starting again. */
  #unreachable(failure: ConnectionError): void {
    const busy = errnoName(failure.cause) === 'EAGAIN';
    const now = performance.now();
    this.#awaySince ??= now;
    const mayReturn = now - this.#awaySince < returnMs;
    for (const call of this.#calls.values()) {
      if (!busy && !(mayReturn && call.attempts > 0)) call.reject(failure);
    }
    if (this.#queue.isEmpty) this.#awaySince = null;
    if (this.#queue.isEmpty || this.#whenClosed !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#flush();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
  }

  #answered(channel: Channel, { id, result, error }: Answer): void {
    const call = typeof id === 'number' ? this.#calls.get(id) : undefined;
    if (call?.channel !== channel) {
      if (typeof id === 'number' && this.#abandoned.delete(id)) return;
      this.#breach(channel, 'an answer to a call that was not made');
    } else {
      this.#settle(call, error, result);
    }
  }

  /**
   * An error without an id: the agent could not read the request and closes. Of a frame that was too large
   * the limit tells which call it was; otherwise it is the answer to everything in flight.
   */
  #refused(channel: Channel, error: AgentError): void {
    const limit = error.kind === 'too_large' ? Number(error.details['limit']) : NaN;
    const inFlight = [...this.#calls.values()].filter((call) => call.channel === channel);
    const tooLong = inFlight.filter((call) => Buffer.byteLength(call.line) - 1 > limit);
    for (const call of tooLong.length > 0 ? tooLong : inFlight) call.reject(error);
    channel.fail(new ConnectionError('lost', `the agent closed the connection: ${error.message}`));
  }

  #breach(channel: Channel, what: string): void {
    const why = `the agent at ${this.#path} sent ${what}; the connection was closed`;
    channel.fail(new ConnectionError('protocol', why));
  }

  /** Settles a call that this connection owes nothing more. */
  #settle(call: PendingCall, error: Error | null, result: unknown): void {
    this.#calls.delete(call.id);
    if (error === null) call.resolve(result);
    else call.reject(error);
  }
}
