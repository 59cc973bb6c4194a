/**
 * The frames between the agent and a vault host: `u32 length | u32 id | u8 kind | payload`, big-endian, `length`
 * counting what follows it. Both sides are this program, so a frame that does not fit is a fault, not an input
 * to be answered.
 */

export interface Frame {
  /** Of the request that this is, or answers; 0 for what nobody asked for. */
  readonly id: number;
  readonly kind: number;
  /** A view of what was received: to be used or copied at once. */
  readonly payload: Buffer;
}

/** What a frame is, from the agent (requests) and from the host (answers). */
export const frameKinds = {
  sign: 1,
  call: 2,
  signAfter: 3,
  done: 16,
  failed: 17,
  note: 18,
} as const;

const headerLength = 9;
const lengthBytes = 4;
/** More than any list of a token's objects; a length beyond it means that the two sides lost each other. */
const longest = 64 * 1024 * 1024;

/** A whole frame with room for `payloadLength` bytes, which begin at `payloadStart`. */
export function newFrame(id: number, kind: number, payloadLength: number): Buffer {
  const frame = Buffer.allocUnsafe(headerLength + payloadLength);
  frame.writeUInt32BE(headerLength - lengthBytes + payloadLength, 0);
  frame.writeUInt32BE(id, 4);
  frame[8] = kind;
  return frame;
}

export const payloadStart = headerLength;

/** A frame whose payload is these bytes. */
export function frameOf(id: number, kind: number, payload: Uint8Array): Buffer {
  const frame = newFrame(id, kind, payload.length);
  frame.set(payload, payloadStart);
  return frame;
}

/** Finds frames in a stream that arrives in pieces. */
export class FrameReader {
  /** What is left of the pieces before: the start of a frame. */
  #rest: Buffer | null = null;

  /** Hands every whole frame on, in order. Throws where the stream is no stream of frames. */
  read(piece: Buffer, take: (frame: Frame) => void): void {
    const bytes = this.#rest === null ? piece : Buffer.concat([this.#rest, piece]);
    this.#rest = null;
    let at = 0;
    while (bytes.length - at >= lengthBytes) {
      const length = bytes.readUInt32BE(at);
      if (length < headerLength - lengthBytes || length > longest) {
        throw new Error(`a frame of ${length} bytes`);
      }
      const end = at + lengthBytes + length;
      if (end > bytes.length) break;
      take({
        id: bytes.readUInt32BE(at + 4),
        kind: bytes[at + 8] ?? 0,
        payload: bytes.subarray(at + headerLength, end),
      });
      at = end;
    }
    if (at < bytes.length) this.#rest = at === 0 ? bytes : bytes.subarray(at);
  }
}
