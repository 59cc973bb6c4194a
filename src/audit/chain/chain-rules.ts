import { noLine, type AuditEventName, type AuditRecord } from './record.ts';
import type { Place } from './verdict.ts';

/** What a record comes after. */
export interface Before {
  /** Null: nothing is known before it. */
  readonly last: (Place & { readonly event: AuditEventName }) | null;
  readonly isFirstOfFile: boolean;
}

/** Why this cannot be the first record that is at hand; null where it can. */
export function startFault({ seq, prev }: AuditRecord): string | null {
  if ((seq === 1) === (prev === noLine)) return null;
  return 'the first record of a chain has seq 1 and a prev of zeros, and no other one has';
}

/** `seq`: why this is not the record that follows; null where it is. */
export function numberFault({ seq }: AuditRecord, { last, isFirstOfFile }: Before): string | null {
  if (last === null || seq === last.seq + 1) return null;
  const text = `seq is ${seq}, expected ${last.seq + 1}: ${difference(seq, last.seq)}`;
  return isFirstOfFile ? `${text}. ${filesInOrder}` : text;
}

const filesInOrder =
  'Files are taken in the order in which they are given: one is missing, in another place, or given twice';

function difference(seq: number, last: number): string {
  if (seq === last) return `record ${seq} comes twice`;
  if (seq < last) return `record ${seq} comes after record ${last}`;
  const [from, to] = [last + 1, seq - 1];
  return from === to ? `record ${from} is missing` : `records ${from} to ${to} are missing`;
}

/** What stands at the head and at the foot of a file. */
export function placeFault(
  { seq, event }: AuditRecord,
  { last, isFirstOfFile }: Before,
): string | null {
  if (!isFirstOfFile) {
    if (last?.event === 'closed') return 'it comes after the record that closed its file';
    return event === 'continued' ? 'it begins a file, but is not the first record of one' : null;
  }
  if (last !== null && last.event !== 'closed') {
    return `it begins a file, but the file before, ${last.file}, does not end in a record "closed"`;
  }
  if (seq === 1 || headsOfFiles.has(event)) return null;
  return `a file begins with a record "continued", not with one of "${event}"`;
}

/** An agent that was killed while it began a file begins it once more when it starts. */
const headsOfFiles: ReadonlySet<AuditEventName> = new Set(['continued', 'repaired', 'started']);

/** Why the end of a chain is not one in which an agent leaves it; null where it is, or where that is not asked for. */
export function endFault(
  { seq, event }: { readonly seq: number; readonly event: AuditEventName },
  signedThrough: number | null,
  end: 'final' | 'open',
): string | null {
  if (end === 'open') return null;
  const unless = 'the agent was killed or is running, or the end was cut off; --open accepts that';
  if (signedThrough === null) return `no record is signed: ${unless}`;
  if (signedThrough < seq) {
    const count = seq - signedThrough;
    const records = count === 1 ? '1 record' : `${count} records`;
    return `the chain ends with ${records} after the last signed one, ${signedThrough}: ${unless}`;
  }
  if (event === 'stopped' || event === 'closed') return null;
  return `the chain ends with a record "${event}", not "stopped" or "closed": ${unless}`;
}
