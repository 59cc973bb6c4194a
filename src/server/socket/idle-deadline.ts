/** How long a connection of somebody without a scope may ask nothing. */
export class IdleDeadline {
  readonly #timer: NodeJS.Timeout;

  /** `onMissed`: it has asked nothing for so long. Called again where it still does not. */
  constructor(ms: number, onMissed: () => void) {
    this.#timer = setInterval(onMissed, ms);
  }

  /** It has asked something. */
  restart(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
