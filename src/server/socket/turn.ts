/** Frames that one connection hands on in a turn of the event loop: answers come behind it, and may be long. */
const framesPerTurn = 64;

/** A connection's part of a turn of the event loop. */
export class Turn {
  readonly #onEnd: () => void;
  #isPlanned = false;
  #frames = 0;

  /** `onEnd`: behind the callbacks of the turn, before the loop waits for anything. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** No more frames in this one. */
  get isFull(): boolean {
    return this.#frames >= framesPerTurn;
  }

  begin(): void {
    this.#frames += 1;
  }

  /** `onEnd` is called at the end of this turn. */
  planEnd(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#frames = 0;
      this.#onEnd();
    });
  }
}
