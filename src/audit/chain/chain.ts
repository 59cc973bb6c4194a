import { hashOfLine, lineOf, noLine, parseRecord, type AuditRecord } from './record.ts';

/** Where a chain ends. */
export interface ChainHead {
  /** Of its last record; 0: there is none. */
  readonly seq: number;
  /** SHA-256 of its last line, lowercase hex: `prev` of the next one. */
  readonly hash: string;
}

export const emptyChain: ChainHead = { seq: 0, hash: noLine };

/** Lines that go on from a head, and are not on disk yet. */
export class Draft {
  #seq: number;
  #hash: string;
  #text = '';

  constructor({ seq, hash }: ChainHead) {
    this.#seq = seq;
    this.#hash = hash;
  }

  get head(): ChainHead {
    return { seq: this.#seq, hash: this.#hash };
  }

  /** Of its last record. */
  get seq(): number {
    return this.#seq;
  }

  get text(): string {
    return this.#text;
  }

  /** About as many bytes: most of it is ASCII. */
  get length(): number {
    return this.#text.length;
  }

  /** Adds the record with that body (`whoText`, a comma, `whatText`); answers its sequence number. */
  add(time: string, body: string): number {
    this.addLine(lineOf(this.#seq + 1, time, body, this.#hash));
    return this.#seq;
  }

  /** Adds a whole line, whose `seq` and `prev` are those that come next. */
  addLine(line: string): void {
    this.#seq += 1;
    this.#hash = hashOfLine(line);
    this.#text += `${line}\n`;
  }
}

/** The record of a line that follows `head`; `head` null: of one that nothing is known before. Else what is wrong. */
export function following(
  head: ChainHead | null,
  line: Uint8Array,
): AuditRecord | { readonly fault: string } {
  const record = parseRecord(line);
  if ('fault' in record || head === null) return record;
  if (record.seq === head.seq + 1 && record.prev === head.hash) return record;
  return { fault: `does not follow record ${head.seq}: a record was changed, removed or added` };
}
