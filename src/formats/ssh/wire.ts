/**
 * The data types of SSH (RFC 4251, section 5): `uint32` big-endian, `string` with its length before it, `mpint` in
 * two's complement without bytes that say nothing.
 */

export function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** `string` of these bytes; text is UTF-8. */
export function sshString(content: Uint8Array | string): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  const framed = Buffer.allocUnsafe(4 + bytes.length);
  framed.writeUInt32BE(bytes.length);
  framed.set(bytes, 4);
  return framed;
}

/** Two `string`s behind each other, in one piece of memory. `first` is ASCII. */
export function sshStrings(first: string, second: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(8 + first.length + second.length);
  bytes.writeUInt32BE(first.length);
  bytes.write(first, 4, 'latin1');
  bytes.writeUInt32BE(second.length, 4 + first.length);
  bytes.set(second, 8 + first.length);
  return bytes;
}

/** `mpint` of an unsigned big-endian number. */
export function mpint(unsigned: Uint8Array): Buffer {
  let from = 0;
  while (from < unsigned.length && unsigned[from] === 0) from += 1;
  const significant = unsigned.subarray(from);
  const signBit = ((significant[0] ?? 0) & 0x80) !== 0;
  return sshString(signBit ? Buffer.concat([Buffer.of(0), significant]) : significant);
}

/** Bytes that are not what they are read as. */
export class SshFormatError extends Error {
  override readonly name = 'SshFormatError';
}

/** Reads one value after the other; what it answers are views of the bytes. Every method throws SshFormatError. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.#take(1)[0] ?? 0;
  }

  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  /** A `string` that is UTF-8. */
  text(): string {
    try {
      return utf8.decode(this.string());
    } catch (error) {
      if (error instanceof SshFormatError) throw error;
      throw new SshFormatError('a text that is not UTF-8');
    }
  }

  /** A positive `mpint`, as an unsigned number of so many bytes. */
  mpint(length: number): Buffer {
    const bytes = this.string();
    const [first = 0, second = 0] = bytes;
    const padded = first === 0 && bytes.length > 0;
    if (first >= 0x80 || (padded && second < 0x80)) {
      throw new SshFormatError('a number that is negative, or has leading zeros');
    }
    const unsigned = padded ? bytes.subarray(1) : bytes;
    if (unsigned.length > length) throw new SshFormatError('a number that is too large');
    return Buffer.concat([Buffer.alloc(length - unsigned.length), unsigned]);
  }

  /** How many bytes were read. */
  get at(): number {
    return this.#at;
  }

  /** Whether everything was read. */
  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Throws unless everything was read. */
  end(): void {
    if (!this.atEnd) throw new SshFormatError('bytes behind the end');
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new SshFormatError('it ends too early');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
