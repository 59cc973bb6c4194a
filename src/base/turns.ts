/** Runs one piece of work at a time under each name, in the order they came. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Settles as the work does. */
  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const outcome = (this.#last.get(name) ?? Promise.resolve()).then(work);
    const settled = outcome.catch(() => null); // its caller hears of it; the next one starts all the same
    this.#last.set(name, settled);
    return outcome;
  }

  /** Resolves when all that was taken has settled. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
