import type { ExaminedRecords } from '../record-store.ts';
import { formatTime } from '../../base/rfc3339.ts';
import type { Seal } from '../../vault/vault.ts';
import type { FileContent } from '../../base/files.ts';
import { sealFault } from '../seal/seal.ts';
import type { ParsedSidecar } from './sidecar-format.ts';
import { describeProblem } from '../../files/document-fields.ts';

/** A sidecar as it was found. */
export interface FoundSidecar extends Omit<ExaminedRecords, 'replace'> {
  /** null where there is no file. */
  readonly content: FileContent | null;
  /** What the seal in the file says, right or not; null where it has none. */
  readonly recordedCounter: number | null;
}

/** `parse` throws what a broken file's reason can be read from. */
export function examined(
  content: FileContent | null,
  token: Seal | null,
  parse: (bytes: Buffer) => ParsedSidecar,
): FoundSidecar {
  const unproved = {
    ...{ content, token, fault: null, instead: null },
    ...{ provedCounter: null, recordedCounter: null },
  };
  if (content === null) return { ...unproved, records: { found: 'missing' } };
  try {
    const parsed = parse(content.bytes);
    const fault = sealFault(parsed, token);
    const proved = fault === null || fault.fault === 'older';
    return {
      records: { found: 'readable', state: parsed.state },
      content,
      token,
      fault,
      instead: null,
      recordedCounter: parsed.seal?.counter ?? null,
      provedCounter: proved ? (parsed.seal?.counter ?? null) : null,
    };
  } catch (failure) {
    return { ...unproved, records: { found: 'broken', reason: describeProblem(failure) } };
  }
}

/** `NAME.json.before-reconcile-20260514T175500Z`; `now` is milliseconds since the epoch. */
export function copyPath(location: string, now: number): string {
  const time = formatTime(now).replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
  return `${location}.before-reconcile-${time}`;
}
