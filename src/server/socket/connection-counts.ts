/** Open connections, over every socket of the agent. */
export class ConnectionCounts {
  readonly #ofUid = new Map<number, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(uid: number): number {
    return this.#ofUid.get(uid) ?? 0;
  }

  /** Every `enter` is followed by one `leave`. */
  enter(uid: number): void {
    this.#total += 1;
    this.#ofUid.set(uid, this.of(uid) + 1);
  }

  leave(uid: number): void {
    this.#total -= 1;
    const left = this.of(uid) - 1;
    if (left > 0) this.#ofUid.set(uid, left);
    else this.#ofUid.delete(uid);
  }
}
