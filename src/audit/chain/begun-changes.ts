import type { AuditRecord } from './record.ts';

/** Far more than an agent has under way; what a kill left without an end stays for the whole chain. */
const mostKept = 100_000;

/** The changes of a chain that were begun, until the record comes that says how they ended. */
export class BegunChanges {
  /** Sequence numbers, ascending. */
  readonly #open = new Set<number>();
  /** Nothing is known of the records up to here. */
  #unknownUpTo: number;

  /** `unknownUpTo`: sequence number of the last record that is not at hand; 0: all of them are. */
  constructor(unknownUpTo: number) {
    this.#unknownUpTo = unknownUpTo;
  }

  /** Answers why the record cannot end what it says; null where it can, or ends nothing. */
  take({ seq, outcome, of }: AuditRecord): string | null {
    if (outcome === 'begun') this.#begin(seq);
    if (of === null || this.#open.delete(of) || of <= this.#unknownUpTo) return null;
    return `it ends what record ${of} began, but that began nothing, or it has ended before`;
  }

  get remarks(): readonly string[] {
    const [first] = this.#open;
    if (first === undefined) return [];
    const count = this.#open.size;
    return [
      `changes that were begun and whose end is not recorded: ${count}, the first: record ${first}`,
    ];
  }

  #begin(seq: number): void {
    this.#open.add(seq);
    if (this.#open.size <= mostKept) return;
    const [oldest = 0] = this.#open;
    this.#open.delete(oldest);
    this.#unknownUpTo = oldest;
  }
}
