/**
 * The data types of the TPM 2.0 Library Specification, Part 2: unsigned numbers big-endian, TPM2B structures as 16
 * bits of length and that many bytes.
 */

/** Bytes that are not what they are read as. */
export class TpmFormatError extends Error {
  override readonly name = 'TpmFormatError';
}

export function u8(value: number): Buffer {
  return Buffer.of(value);
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A TPM2B of these bytes. Throws a RangeError for more than its length can say. */
export function sized(content: Uint8Array): Buffer {
  return Buffer.concat([u16(content.length), content]);
}

export const emptySized = sized(Buffer.alloc(0));

/** Reads one value after the other; what it answers are views of the bytes. Every method throws TpmFormatError. */
export class TpmReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  /** `what` is how messages call these bytes. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  u8(): number {
    return this.bytes(1).readUInt8(0);
  }

  u16(): number {
    return this.bytes(2).readUInt16BE(0);
  }

  u32(): number {
    return this.bytes(4).readUInt32BE(0);
  }

  u64(): bigint {
    return this.bytes(8).readBigUInt64BE(0);
  }

  bytes(length: number): Buffer {
    if (length > this.left) {
      throw new TpmFormatError(
        `${this.#what} ends too early: ${length} more bytes were expected at ${this.#at}, there are ${this.left}`,
      );
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The content of a TPM2B. */
  sized(): Buffer {
    return this.bytes(this.u16());
  }

  /** The number of a list's entries, each of at least `least` bytes: no more than could follow. */
  count(least: number): number {
    const count = this.u32();
    if (count * least > this.left) {
      throw new TpmFormatError(
        `${this.#what}: a list of ${count} entries does not fit into the ${this.left} bytes left`,
      );
    }
    return count;
  }

  /** All that is left. */
  rest(): Buffer {
    return this.bytes(this.left);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The bytes must be used up. */
  end(): void {
    if (this.left > 0) throw new TpmFormatError(`${this.#what}: ${this.left} bytes too many`);
  }
}

/** What `read` makes of the bytes, all of which must be used up. */
export function readWhole<T>(bytes: Uint8Array, what: string, read: (reader: TpmReader) => T): T {
  const reader = new TpmReader(bytes, what);
  const value = read(reader);
  reader.end();
  return value;
}
