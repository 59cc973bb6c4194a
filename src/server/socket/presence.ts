/** It is looked so often whether anybody is there, milliseconds: a look costs as much as a short request. */
const lookEvery = 1000;

/** Whether the client of a connection that is kept waiting is there at all: where nothing is read, node says nothing. */
export class Presence {
  readonly #hasHungUp: () => boolean;
  #lookedAt = -Infinity;

  constructor(hasHungUp: () => boolean) {
    this.#hasHungUp = hasHungUp;
  }

  /** `now`: milliseconds on the monotonic clock. */
  isGone(now: number): boolean {
    if (now - this.#lookedAt < lookEvery) return false;
    this.#lookedAt = now;
    return this.#hasHungUp();
  }
}
