/** How long a connection of somebody without a scope may ask nothing. */
export class IdleDeadline {
  readonly #timer: NodeJS.Timeout;

  /** `isExempt`: whether it may stay at this moment. `onMissed`: it may not, and has asked nothing. */
  constructor(ms: number, isExempt: () => boolean, onMissed: () => void) {
    this.#timer = setTimeout(() => {
      if (isExempt()) this.#timer.refresh();
      else onMissed();
    }, ms);
  }

  /** It has asked something. */
  restart(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
