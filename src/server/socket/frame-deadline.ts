/** How long a frame may take from its first byte to its last, over all frames of a connection. */
export class FrameDeadline {
  readonly #ms: number;
  readonly #isReading: () => boolean;
  readonly #onMissed: () => void;
  /** `performance.now()` when the unfinished frame began; null where there is none. */
  #startedAt: number | null = null;
  #timer: NodeJS.Timeout | null = null;

  /** `isReading`: whether the client's bytes are taken at present. `onMissed`: a frame took longer. */
  constructor(ms: number, isReading: () => boolean, onMissed: () => void) {
    this.#ms = ms;
    this.#isReading = isReading;
    this.#onMissed = onMissed;
  }

  /** A part of a frame is there. Counts from the first call until `end`. */
  begin(): void {
    if (this.#startedAt !== null) return;
    this.#startedAt = performance.now();
    this.#timer ??= this.#watch(this.#ms);
  }

  /** The frame is whole, or is waited for no more. */
  end(): void {
    this.#startedAt = null;
  }

  /** Nothing is watched any more. */
  stop(): void {
    this.end();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** One timer looks after many frames: arming one a frame would cost more than the frame. */
  #watch(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = null;
      if (this.#startedAt === null) return;
      // While nothing is read, the rest may have been sent long ago: it gets the whole time again.
      if (!this.#isReading()) this.#startedAt = performance.now();
      const left = this.#startedAt + this.#ms - performance.now();
      if (left > 0) this.#timer = this.#watch(left);
      else this.#onMissed();
    }, ms);
  }
}
