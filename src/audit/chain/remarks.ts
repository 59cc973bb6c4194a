import { parseTime } from '../../base/rfc3339.ts';
import type { AuditRecord } from './record.ts';

/** Clocks are set, and a second or two back is no news. */
const clockToleranceMs = 60_000;

/** What is no fault of a chain and should be known: how often, and where first. */
export class Remarks {
  readonly #found = new Map<string, { count: number; readonly first: string }>();
  readonly #texts: string[] = [];
  /** Records that no signature stands behind so far, and the first of them. */
  #unsigned: { count: number; readonly first: number } | null = null;

  add(text: string): void {
    this.#texts.push(text);
  }

  /** `timeBefore`: of the record before; null where there is none. */
  observe(record: AuditRecord, timeBefore: string | null): void {
    const { seq, time, event, signer, reason } = record;
    if (timeBefore !== null && milliseconds(timeBefore) - milliseconds(time) > clockToleranceMs) {
      const first = `record ${seq} is of ${time}, the one before of ${timeBefore}`;
      this.#count('steps of the clock back, by more than a minute', first);
    }
    this.#observeTakenOver(record);
    if (signer === null) {
      this.#count(
        'records that should be signed and are not, so that only a later one vouches for them',
        `record ${seq}, ${event}: ${reason ?? 'no reason is given'}`,
      );
    }
  }

  get list(): readonly string[] {
    const counted = [...this.#found].map(
      ([what, { count, first }]) => `${what}: ${count}, the first: ${first}`,
    );
    return [...this.#texts, ...counted];
  }

  /**
   * An agent that starts goes on from what it finds, and signs behind it: what a kill left without a signature, and
   * also what somebody cut off or wrote anew while none ran.
   */
  #observeTakenOver({ seq, event, signer }: AuditRecord): void {
    const isStart = event === 'started' || event === 'repaired';
    if (isStart && this.#unsigned !== null) {
      const { count, first } = this.#unsigned;
      this.#count(
        'starts behind records without a signature, so that what the log ended with before is not vouched for',
        `record ${seq} behind ${count === 1 ? '1 record' : `${count} records`}, from ${first} on`,
      );
    }
    if (isStart || typeof signer === 'string') this.#unsigned = null;
    // It says nothing, and a kill may leave it alone behind the signed end of the file before.
    else if (event !== 'continued') {
      this.#unsigned = {
        count: (this.#unsigned?.count ?? 0) + 1,
        first: this.#unsigned?.first ?? seq,
      };
    }
  }

  #count(what: string, first: string): void {
    const found = this.#found.get(what);
    if (found === undefined) this.#found.set(what, { count: 1, first });
    else found.count += 1;
  }
}

function milliseconds(time: string): number {
  return parseTime(time)?.ms ?? 0;
}
