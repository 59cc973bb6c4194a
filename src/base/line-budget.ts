/** Milliseconds. */
const window = 60_000;

/** Lines of the log that others can cause: so many a minute, and how many were left out stands in the next one. */
export class LineBudget {
  readonly #most: number;
  readonly #monotonicNow: () => number;
  #since = -Infinity;
  #written = 0;
  #leftOut = 0;

  /** `monotonicNow`: milliseconds. */
  constructor(most: number, monotonicNow: () => number) {
    this.#most = most;
    this.#monotonicNow = monotonicNow;
  }

  /** Writes the line by `write`, with what is to be said of lines before it, or counts it. */
  take(write: (leftOut: { readonly left_out?: number }) => void): void {
    const now = this.#monotonicNow();
    if (now - this.#since >= window) {
      this.#since = now;
      this.#written = 0;
    }
    if (this.#written >= this.#most) {
      this.#leftOut += 1;
      return;
    }
    this.#written += 1;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    write(leftOut === 0 ? {} : { left_out: leftOut });
  }
}
