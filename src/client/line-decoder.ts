const newline = 0x0a;

/**
 * Cuts a byte stream into lines. A chunk is turned into text once however many lines it holds, and the
 * pieces of a long line are joined once, when its end has come.
 */
export class LineDecoder {
  readonly #limit: number;
  #pieces: Buffer[] = [];
  #held = 0;

  /** `limit`: bytes that a line may have, its newline not counted. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that end within `chunk`, in order, without their newlines; null where one is too long. */
  push(chunk: Buffer): readonly string[] | null {
    const end = chunk.lastIndexOf(newline);
    if (end === -1) {
      this.#hold(chunk);
      return this.#held > this.#limit ? null : [];
    }
    if (this.#held + chunk.indexOf(newline) > this.#limit) return null;
    const complete = this.#take(chunk.subarray(0, end));
    if (end + 1 < chunk.length) this.#hold(chunk.subarray(end + 1));
    return this.#held > this.#limit ? null : complete.toString('utf8').split('\n');
  }

  #hold(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#held += piece.length;
  }

  #take(last: Buffer): Buffer {
    if (this.#held === 0) return last;
    const whole = Buffer.concat([...this.#pieces, last]);
    this.#pieces = [];
    this.#held = 0;
    return whole;
  }
}
