import { AgentError } from '../base/errors.ts';
import type { LoadedApiKey } from './api-key.ts';
import type { Caller } from './caller.ts';

/** Before it makes sense to connect again, milliseconds. */
const retryAfter = 1000;

/**
 * Connections that have authenticated with a key, in that order. By its secret: a name that is given again starts
 * with none.
 */
export class KeyConnections {
  readonly #holders = new Map<string, Set<Caller>>();

  /**
   * The caller holds this key, and no more the one that its credential names. Throws `rate_limited` where it would be
   * one more than `most` (null: no limit).
   */
  take(key: LoadedApiKey, caller: Caller, most: number | null): void {
    const name = hex(key.hash);
    const holders = this.#holders.get(name) ?? new Set();
    if (most !== null && !holders.has(caller) && holders.size >= most) throw tooMany(key, most);
    const before = caller.credential;
    if (before !== null && hex(before.hash) !== name) this.letGo(caller);
    this.#holders.set(name, holders.add(caller));
  }

  /**
   * Throws `rate_limited` where so many are older than this one. Who came first stays: of a limit that was lowered
   * as many connections work as it allows.
   */
  require(key: LoadedApiKey, caller: Caller, most: number | null): void {
    const holders = this.#holders.get(hex(key.hash));
    if (most === null || holders === undefined || holders.size <= most) return;
    let older = 0;
    for (const holder of holders) {
      if (holder === caller) return;
      older += 1;
      if (older >= most) throw tooMany(key, most);
    }
  }

  /** The caller holds the key no more that its credential names. */
  letGo(caller: Caller): void {
    if (caller.credential === null) return;
    const name = hex(caller.credential.hash);
    const holders = this.#holders.get(name);
    holders?.delete(caller);
    if (holders?.size === 0) this.#holders.delete(name);
  }
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex');
}

function tooMany({ id }: LoadedApiKey, most: number): AgentError {
  return new AgentError(
    'rate_limited',
    `API key ${id} may have ${most} connections: try again in ${retryAfter} ms`,
    { details: { retry_after_ms: retryAfter } },
  );
}
