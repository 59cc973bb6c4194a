import { StreamBytes } from './stream-bytes.ts';

/**
 * Newline-delimited frames out of a byte stream that arrives in arbitrary pieces (docs/protocol.md).
 * Frames are pulled one at a time: a reader that has enough in flight leaves the rest undecoded.
 */

const newline = 0x0a;

export class FrameDecoder {
  /** The longest frame accepted now, without its newline. */
  maxFrameBytes: number;
  readonly #bytes = new StreamBytes();
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
    return this.#bytes.heldBytes > 0;
  }

  /** How many. */
  get heldBytes(): number {
    return this.#bytes.heldBytes;
  }

  /** There are bytes that `next` has not looked at. */
  get waiting(): boolean {
    return this.#bytes.chunk !== null;
  }

  /** How many. */
  get waitingBytes(): number {
    return this.#bytes.waitingBytes;
  }

  /** Takes the next bytes of the stream. They are not copied: the caller must leave them as they are. */
  push(chunk: Buffer): void {
    if (!this.#tooLarge) this.#bytes.push(chunk);
  }

  /**
   * The next whole frame without its newline, null where more bytes are needed first (or never: `tooLarge`).
   * A frame that lies within one chunk is a view of that chunk.
   */
  next(): Buffer | null {
    const bytes = this.#bytes;
    for (let { chunk } = bytes; chunk !== null; { chunk } = bytes) {
      const start = bytes.offset;
      const end = chunk.indexOf(newline, start);
      const length = (end === -1 ? chunk.length : end) - start;
      if (bytes.heldBytes + length > this.maxFrameBytes) {
        this.#tooLarge = true;
        bytes.discard();
        return null;
      }
      if (end === -1) {
        bytes.hold(chunk.subarray(start), this.maxFrameBytes);
        bytes.advance(chunk.length);
        continue;
      }
      bytes.advance(end + 1);
      if (bytes.heldBytes === 0) return chunk.subarray(start, end);
      bytes.hold(chunk.subarray(start, end), this.maxFrameBytes);
      return bytes.release();
    }
    return null;
  }
}
