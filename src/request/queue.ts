import { AgentError } from '../base/errors.ts';

/** What one share (see `shareOf`) may take of the agent's queue, so that there is room left for the others. */
const shareOfOne = 0.75;
/** Kept free for root and the agent's own user: a part of it, and so many at most. */
const keptForOwn = 1 / 16;
const mostKept = 256;

/** Room for so many things that wait, over all connections. */
export class Queue {
  readonly #limit: number;
  readonly #ofShare = new Map<string, number>();
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Throws `overloaded`. Every success is followed by one `leave` of as many. `isOwn`: also into what is kept for root
   * and the agent's user.
   */
  enter(share: string, { count = 1, isOwn = false } = {}): void {
    const own = (this.#ofShare.get(share) ?? 0) + count;
    const kept = isOwn ? 0 : Math.min(mostKept, Math.floor(this.#limit * keptForOwn));
    if (this.#inside + count > this.#limit - kept || own > this.#limit * shareOfOne) {
      throw new AgentError('overloaded', 'too many requests wait already: try again later');
    }
    this.#inside += count;
    this.#ofShare.set(share, own);
  }

  leave(share: string, count = 1): void {
    this.#inside -= count;
    const own = (this.#ofShare.get(share) ?? 0) - count;
    if (own > 0) this.#ofShare.set(share, own);
    else this.#ofShare.delete(share);
  }
}
