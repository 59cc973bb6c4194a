import type { PendingCall } from './pending-call.ts';

/** Characters that may wait to be sent: about 64 MiB, as frames are nearly all ASCII. */
const maxQueued = 64 * 1024 * 1024;

/** Characters that are handed to the socket at once. */
const batchSize = 256 * 1024;

/** Settled calls left in the queue before it is swept. */
const maxSettled = 1024;

/** Calls in the order they were made that no connection has taken yet. */
export class SendQueue {
  #calls: PendingCall[] = [];
  #size = 0;
  #settled = 0;

  get isEmpty(): boolean {
    return this.#calls.length === this.#settled;
  }

  /** An empty queue takes a line of any length. */
  hasRoomFor(line: string): boolean {
    return this.isEmpty || this.#size + line.length <= maxQueued;
  }

  add(call: PendingCall): void {
    this.#calls.push(call);
    this.#size += call.line.length;
  }

  /** Calls that have to be sent again go before those that came after them. */
  putBack(calls: readonly PendingCall[]): void {
    this.#calls = [...calls, ...this.#calls];
    for (const call of calls) this.#size += call.line.length;
  }

  /** To be told of a call that was settled while it waited here: it will not be sent. */
  drop(call: PendingCall): void {
    this.#size -= call.line.length;
    this.#settled += 1;
    if (this.#settled <= maxSettled) return;
    this.#calls = this.#calls.filter((waiting) => !waiting.isSettled);
    this.#settled = 0;
  }

  /** Removes the first calls, as many as go into one write; at least one unless the queue is empty. */
  takeBatch(): readonly PendingCall[] {
    let size = 0;
    let end = 0;
    while (end < this.#calls.length && size < batchSize) {
      const call = this.#calls[end];
      if (call?.isSettled === false) size += call.line.length;
      end += 1;
    }
    const taken = this.#calls.splice(0, end);
    const batch = this.#settled === 0 ? taken : taken.filter((call) => !call.isSettled);
    this.#settled -= taken.length - batch.length;
    this.#size -= size;
    return batch;
  }
}
