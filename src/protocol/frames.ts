/**
 * Newline-delimited frames out of a byte stream that arrives in arbitrary pieces (contract section 2).
 * Frames are pulled one at a time: a reader that has enough in flight leaves the rest undecoded.
 */

const newline = 0x0a;
/** Typical for a request that a chunk boundary cut in two. */
const firstPartialBytes = 512;
const nothing = Buffer.alloc(0);

export class FrameDecoder {
  /** The longest frame accepted now, without its newline. */
  maxFrameBytes: number;
  /** The chunk being scanned from `#offset` on, and those behind it. */
  #chunk: Buffer | null = null;
  #offset = 0;
  readonly #waiting: Buffer[] = [];
  /** Start of a frame whose newline has not come yet: `#partialBytes` bytes of a buffer that doubles. */
  #partial: Buffer = nothing;
  #partialBytes = 0;
  #tooLarge = false;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  /** The stream held a frame over the limit, known as soon as its bytes say so. Nothing is decoded after it. */
  get tooLarge(): boolean {
    return this.#tooLarge;
  }

  /** Once `next` answered null: bytes of an unfinished frame are held. */
  get partial(): boolean {
    return this.#partialBytes > 0;
  }

  /** Takes the next bytes of the stream. They are not copied: the caller must leave them as they are. */
  push(chunk: Buffer): void {
    if (chunk.length === 0 || this.#tooLarge) return;
    if (this.#chunk === null) {
      this.#chunk = chunk;
      this.#offset = 0;
    } else {
      this.#waiting.push(chunk);
    }
  }

  /**
   * The next whole frame without its newline, null where more bytes are needed first (or never: `tooLarge`).
   * A frame that lies within one chunk is a view of that chunk.
   */
  next(): Buffer | null {
    while (this.#chunk !== null) {
      const chunk = this.#chunk;
      const start = this.#offset;
      const end = chunk.indexOf(newline, start);
      const bytes = (end === -1 ? chunk.length : end) - start;
      if (this.#partialBytes + bytes > this.maxFrameBytes) {
        this.#refuse();
        return null;
      }
      if (end === -1) {
        this.#hold(chunk.subarray(start));
        this.#advance(chunk.length);
        continue;
      }
      this.#advance(end + 1);
      if (this.#partialBytes === 0) return chunk.subarray(start, end);
      this.#hold(chunk.subarray(start, end));
      return this.#release();
    }
    return null;
  }

  #advance(offset: number): void {
    this.#offset = offset;
    if (offset < (this.#chunk?.length ?? 0)) return;
    this.#chunk = this.#waiting.shift() ?? null;
    this.#offset = 0;
  }

  /**
   * Copies into one buffer that doubles: linear over all, and a frame sent byte by byte costs no object a
   * byte, nor does its start keep a whole chunk alive.
   */
  #hold(piece: Buffer): void {
    const bytes = this.#partialBytes + piece.length;
    if (bytes > this.#partial.length) {
      const room = Math.min(this.maxFrameBytes, Math.max(firstPartialBytes, bytes * 2));
      const grown = Buffer.allocUnsafeSlow(room);
      this.#partial.copy(grown, 0, 0, this.#partialBytes);
      this.#partial = grown;
    }
    piece.copy(this.#partial, this.#partialBytes);
    this.#partialBytes = bytes;
  }

  #release(): Buffer {
    const frame = this.#partial.subarray(0, this.#partialBytes);
    this.#partial = nothing;
    this.#partialBytes = 0;
    return frame;
  }

  #refuse(): void {
    this.#tooLarge = true;
    this.#chunk = null;
    this.#waiting.length = 0;
    this.#release();
  }
}
