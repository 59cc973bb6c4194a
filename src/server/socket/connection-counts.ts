/** Open connections, over every listener of the agent. Shares: see `shareOf`. */
export class ConnectionCounts {
  readonly #ofShare = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(share: string): number {
    return this.#ofShare.get(share) ?? 0;
  }

  /** Every `enter` is followed by one `leave`. */
  enter(share: string): void {
    this.#total += 1;
    this.#ofShare.set(share, this.of(share) + 1);
  }

  leave(share: string): void {
    this.#total -= 1;
    const left = this.of(share) - 1;
    if (left > 0) this.#ofShare.set(share, left);
    else this.#ofShare.delete(share);
  }
}
