/** Typical for a frame that a chunk boundary cut in two. */
const firstHeldBytes = 512;
const nothing = Buffer.alloc(0);

/** Bytes of a stream on their way into frames: chunks as they came, and the start of a frame that is not whole yet. */
export class StreamBytes {
  #chunk: Buffer | null = null;
  #offset = 0;
  /** Chunks behind `chunk`, and their bytes. */
  readonly #waiting: Buffer[] = [];
  #behindBytes = 0;
  /** `#heldBytes` bytes of a buffer that doubles. */
  #held: Buffer = nothing;
  #heldBytes = 0;

  /** The chunk that is looked at, from `offset` on; null where every byte has been. */
  get chunk(): Buffer | null {
    return this.#chunk;
  }

  get offset(): number {
    return this.#offset;
  }

  /** How many bytes nobody has looked at. */
  get waitingBytes(): number {
    return this.#behindBytes + (this.#chunk === null ? 0 : this.#chunk.length - this.#offset);
  }

  /** How many bytes of an unfinished frame are held. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A view of them. */
  get held(): Buffer {
    return this.#held.subarray(0, this.#heldBytes);
  }

  /** Takes the next bytes of the stream. They are not copied: the caller must leave them as they are. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    if (this.#chunk === null) {
      this.#chunk = chunk;
      this.#offset = 0;
    } else {
      this.#waiting.push(chunk);
      this.#behindBytes += chunk.length;
    }
  }

  /** What lies before `offset` in this chunk is done with. */
  advance(offset: number): void {
    this.#offset = offset;
    if (offset < (this.#chunk?.length ?? 0)) return;
    this.#chunk = this.#waiting.shift() ?? null;
    this.#behindBytes -= this.#chunk?.length ?? 0;
    this.#offset = 0;
  }

  /**
   * Copies into one buffer that doubles, up to `most` bytes: linear over all, and a frame sent byte by byte costs no
   * object a byte, nor does its start keep a whole chunk alive.
   */
  hold(piece: Buffer, most: number): void {
    const bytes = this.#heldBytes + piece.length;
    if (bytes > this.#held.length) {
      // The first piece as it is: most frames that are cut in two are cut once.
      const wanted = this.#heldBytes === 0 ? bytes : bytes * 2;
      const room = Math.max(bytes, Math.min(most, Math.max(firstHeldBytes, wanted)));
      const grown = Buffer.allocUnsafeSlow(room);
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    piece.copy(this.#held, this.#heldBytes);
    this.#heldBytes = bytes;
  }

  /** What was held, which is the caller's from now on. */
  release(): Buffer {
    const frame = this.held;
    this.#held = nothing;
    this.#heldBytes = 0;
    return frame;
  }

  /** Forgets everything. */
  discard(): void {
    this.#chunk = null;
    this.#offset = 0;
    this.#waiting.length = 0;
    this.#behindBytes = 0;
    this.release();
  }
}
