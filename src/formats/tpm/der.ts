/** As much of DER (X.690) as the key files of TPMs need. */

export class DerError extends Error {
  override readonly name = 'DerError';
}

export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  OCTET_STRING: 0x04,
  OID: 0x06,
  SEQUENCE: 0x30,
} as const;

/** `[number] EXPLICIT` */
export function explicitTag(number: number): number {
  return 0xa0 | number;
}

export function derValue(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag), lengthOf(body.length), body]);
}

/** Of an unsigned number below 2^32. */
export function derInteger(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value, 1);
  let from = 0;
  while (from < 4 && bytes[from] === 0 && (bytes[from + 1] ?? 0) < 0x80) from += 1;
  return derValue(TAG.INTEGER, bytes.subarray(from));
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  if (length < 0x100) return Buffer.of(0x81, length);
  return Buffer.of(0x82, length >> 8, length & 0xff);
}

/** Reads one value after the other; what it answers are views. Every method throws DerError. */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The tag of the next value; null at the end. */
  get next(): number | null {
    return this.#bytes[this.#at] ?? null;
  }

  /** The content of the next value, which must have that tag. */
  value(tag: number): Buffer {
    if (this.next !== tag) {
      throw new DerError(`tag 0x${tag.toString(16)} was expected at byte ${this.#at}`);
    }
    this.#at += 1;
    const length = this.#length();
    if (length > this.#bytes.length - this.#at) throw new DerError('a value is cut off');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** An unsigned number below 2^32. */
  integer(): number {
    const content = this.value(TAG.INTEGER);
    const [first = 0x80, second = 0] = content;
    const overlong = content.length > 1 && first === 0 && second < 0x80;
    if (first >= 0x80 || overlong || content.length > 5 || (content.length === 5 && first !== 0)) {
      throw new DerError('a number is negative, too large, or written in another way than DER has');
    }
    return content.readUIntBE(0, content.length);
  }

  end(): void {
    if (this.#at < this.#bytes.length) throw new DerError('there is more than there should be');
  }

  #length(): number {
    const [first = 0xff, second = 0, third = 0] = this.#bytes.subarray(this.#at);
    this.#at += 1;
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    if (octets < 1 || octets > 2) throw new DerError('a length is written as none of these is');
    this.#at += octets;
    const length = octets === 1 ? second : (second << 8) | third;
    if (length < (octets === 1 ? 0x80 : 0x100))
      throw new DerError('a length is longer than DER has it');
    return length;
  }
}
