import { AgentError } from '../base/errors.ts';

/** What one share (see `shareOf`) may take of the agent's queue, so that there is room left for the others. */
const shareOfOne = 0.75;

/** Room for so many things that wait, over all connections. */
export class Queue {
  readonly #limit: number;
  readonly #ofShare = new Map<string, number>();
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws `overloaded`. Every success is followed by one `leave` of as many. */
  enter(share: string, count = 1): void {
    const own = (this.#ofShare.get(share) ?? 0) + count;
    if (this.#inside + count > this.#limit || own > this.#limit * shareOfOne) {
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
