import { AgentError } from '../base/errors.ts';

/** What one user may take of the agent's queue, so that there is room left for the others. */
const shareOfOne = 0.75;

/** Room for so many things that wait, over all connections. */
export class Queue {
  readonly #limit: number;
  readonly #ofUid = new Map<number, number>();
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws `overloaded`. Every success is followed by one `leave` of as many. */
  enter(uid: number, count = 1): void {
    const own = (this.#ofUid.get(uid) ?? 0) + count;
    if (this.#inside + count > this.#limit || own > this.#limit * shareOfOne) {
      throw new AgentError('overloaded', 'too many requests wait already: try again later');
    }
    this.#inside += count;
    this.#ofUid.set(uid, own);
  }

  leave(uid: number, count = 1): void {
    this.#inside -= count;
    const own = (this.#ofUid.get(uid) ?? 0) - count;
    if (own > 0) this.#ofUid.set(uid, own);
    else this.#ofUid.delete(uid);
  }
}
