import { StreamBytes } from '../../base/stream-bytes.ts';

/** Bytes of the length before a message. */
const header = 4;

/**
 * Messages of the agent protocol out of a byte stream that arrives in arbitrary pieces: a `uint32` length and as many
 * bytes (RFC 9987). Pulled one at a time, as FrameDecoder's lines are.
 */
export class MessageDecoder {
  /** The longest message accepted now, without its length. */
  maxFrameBytes: number;
  readonly #bytes = new StreamBytes();
  #tooLarge = false;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  /** A message was announced that is over the limit, or has not even a type. Nothing is decoded after it. */
  get tooLarge(): boolean {
    return this.#tooLarge;
  }

  /** Once `next` answered null: bytes of an unfinished message are held. */
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
   * The next whole message without its length, null where more bytes are needed first (or never: `tooLarge`).
   * A message that lies within one chunk is a view of that chunk.
   */
  next(): Buffer | null {
    const bytes = this.#bytes;
    for (let { chunk } = bytes; chunk !== null; { chunk } = bytes) {
      const start = bytes.offset;
      const isWhole = bytes.heldBytes === 0 && chunk.length - start >= header;
      if (isWhole) {
        const end = start + header + chunk.readUInt32BE(start);
        if (this.#refuses(end - start - header)) return null;
        if (end <= chunk.length) {
          bytes.advance(end);
          return chunk.subarray(start + header, end);
        }
      }
      const message = this.#hold(chunk, start);
      if (message !== null || this.#tooLarge) return message;
    }
    return null;
  }

  /** Takes up to the end of the length, or of the message. */
  #hold(chunk: Buffer, start: number): Buffer | null {
    const bytes = this.#bytes;
    const isAnnounced = bytes.heldBytes >= header;
    const whole = header + (isAnnounced ? bytes.held.readUInt32BE() : 0);
    const end = Math.min(chunk.length, start + whole - bytes.heldBytes);
    bytes.hold(chunk.subarray(start, end), whole);
    bytes.advance(end);
    if (bytes.heldBytes < whole) return null;
    if (isAnnounced) return bytes.release().subarray(header);
    this.#refuses(bytes.held.readUInt32BE());
    return null;
  }

  #refuses(length: number): boolean {
    if (length > 0 && length <= this.maxFrameBytes) return false;
    this.#tooLarge = true;
    this.#bytes.discard();
    return true;
  }
}
