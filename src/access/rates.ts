import { AgentError } from '../base/errors.ts';

/** Kept for so many principals; beyond it those that owe nothing any more are dropped. */
const mostKept = 4096;
/** What sums of fractions may be off, milliseconds. */
const rounding = 0.001;
/** A timer may go off so much too early, milliseconds. */
const timerSlack = 1;

/** One limit that signatures, or other operations, count against. */
export interface RateLimit {
  /** Under which it is kept. */
  readonly name: string;
  /** For the message. */
  readonly who: string;
  readonly perSecond: number;
  /** What is counted, for the message. */
  readonly of: 'signatures' | 'recorded operations';
}

/**
 * How many a second, by name: a bucket of one second's that fills evenly. A batch of signatures is let through
 * where the bucket holds what it takes or is full, and is paid off before the next.
 */
export class Rates {
  readonly #monotonicNow: () => number;
  /** When the bucket is full again. A time, and not what is in it: it does not drift with every look. */
  readonly #fullAt = new Map<string, number>();

  /** `monotonicNow`: milliseconds on the monotonic clock. */
  constructor(monotonicNow: () => number) {
    this.#monotonicNow = monotonicNow;
  }

  /**
   * Takes so many of every limit, or of none. Throws `rate_limited` with `retry_after_ms` where one of
   * them has not enough: the longest wait that any of them asks for.
   */
  take(count: number, limits: readonly RateLimit[]): void {
    if (limits.length === 0) return;
    const now = this.#monotonicNow();
    let longest: { limit: RateLimit; wait: number } | null = null;
    for (const limit of limits) {
      const wait = this.#waitFor(count, limit, now);
      if (wait > (longest?.wait ?? rounding)) longest = { limit, wait };
    }
    if (longest !== null) throw tooMany(longest.limit, longest.wait);
    for (const { name, perSecond } of limits) {
      if (this.#fullAt.size >= mostKept && !this.#fullAt.has(name)) this.#forgetFull(now);
      this.#fullAt.set(name, now + this.#untilFull(name, now) + (count / perSecond) * 1000);
    }
  }

  /** Milliseconds until there is enough; 0 or less: now. */
  #waitFor(count: number, { name, perSecond }: RateLimit, now: number): number {
    const left = perSecond - Math.min(count, perSecond);
    return this.#untilFull(name, now) - (left / perSecond) * 1000;
  }

  #untilFull(name: string, now: number): number {
    return Math.max(0, (this.#fullAt.get(name) ?? now) - now);
  }

  #forgetFull(now: number): void {
    for (const [name, fullAt] of this.#fullAt) if (fullAt <= now) this.#fullAt.delete(name);
  }
}

function tooMany({ who, perSecond, of }: RateLimit, wait: number): AgentError {
  const retryAfter = Math.ceil(wait) + timerSlack;
  return new AgentError(
    'rate_limited',
    `${who} may make ${perSecond} ${of} a second: try again in ${retryAfter} ms`,
    { details: { retry_after_ms: retryAfter } },
  );
}
