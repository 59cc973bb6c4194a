import { forgetCommand } from '../../../base/forget-command.ts';
import type { Comparison, Row } from '../../../keyring/reconcile.ts';
import type { ExaminedRecords, Records } from '../../../keyring/record-store.ts';
import type { Cell, Output } from '../../shell/output.ts';
import { reconcileCommand, type GivenFlags } from './reconcile-command.ts';
import { isRefused, sealCell, sealDocument, type SealReport } from './reconcile-seal.ts';

/** What `agentctl reconcile` found and did. */
export interface Report {
  readonly keyring: string;
  /** What the store of its records is called, see RecordStore. */
  readonly noun: string;
  /** Where that is. */
  readonly location: string;
  readonly records: Records;
  /** Set where the records are those of the second copy. */
  readonly instead: ExaminedRecords['instead'];
  readonly comparison: Comparison;
  readonly seal: SealReport;
  /** The latest time that is dropped from the records; null where none is. */
  readonly clockReset: string | null;
  /** Whether there is anything to write. */
  readonly mustWrite: boolean;
  /** Why the key that would be active could not prove itself; null where it did, or there is none. */
  readonly unproved: string | null;
  readonly applied: boolean;
  /** Where the previous records are; null where there was none, or nothing was written. */
  readonly keptCopy: string | null;
}

/** For `--json`. */
export function reportDocument(report: Report): unknown {
  const { keyring, noun, location, records, comparison, seal, applied, keptCopy } = report;
  const { rows, verdict } = comparison;
  const found = report.instead?.of ?? records;
  return {
    keyring,
    [noun]: {
      path: location,
      found: found.found,
      ...(found.found === 'broken' ? { reason: found.reason } : {}),
      ...(report.instead === null ? {} : { second_copy: report.instead.copy }),
    },
    seal: sealDocument(seal),
    verdict: verdict.kind,
    active_kid: activeKid(comparison),
    ...(verdict.kind === 'choose' ? { candidates: verdict.candidates.map(({ kid }) => kid) } : {}),
    keys: rows.map((row) => ({
      kid: row.kid,
      object_id: row.objectId,
      recorded_as: row.recordedAs,
      in_token: row.inToken,
      finding: row.finding,
      becomes: row.becomes,
    })),
    ...(report.clockReset === null ? {} : { dropped_latest_time: report.clockReset }),
    applied,
    kept_copy: keptCopy,
  };
}

/** For people: both sides, what is done about each line, and what that means. */
export function printReport(report: Report, given: GivenFlags, output: Output): void {
  const { keyring, noun, location, records, comparison } = report;
  const { rows, verdict } = comparison;
  const found = report.instead?.of ?? records;
  const state = foundText(found);
  output.table([
    ['keyring', { text: keyring, style: 'bold' }],
    [noun, location],
    ['', found.found === 'readable' ? state : { text: state, style: 'red' }],
    ...(report.instead === null ? [] : [['second copy', report.instead.copy]]),
    ['seal', sealCell(report.seal)],
  ]);
  if (rows.length > 0) {
    const header = ['KID', 'OBJECT ID', noun.toUpperCase(), 'TOKEN', 'WHAT IS DONE'];
    output.line('');
    output.table([
      header.map((text): Cell => ({ text, style: 'dim' })),
      ...rows.map((row): Cell[] => [
        row.kid ?? '-',
        row.objectId === '' ? '-' : row.objectId,
        row.recordedAs ?? '-',
        row.inToken.replace('_', ' '),
        remedy(row),
      ]),
    ]);
  }
  output.line('');
  for (const sentence of consequences(report, given)) output.line(sentence);
  if (verdict.kind === 'fits' && report.unproved === null) {
    output.line(
      verdict.active === null
        ? 'nothing is recorded and the token has no key: the agent makes the first one'
        : `${noun} and token fit${report.mustWrite || isRefused(report.seal) ? '' : ': nothing was changed'}`,
    );
  }
  if (!report.mustWrite || isRefused(report.seal)) return;
  if (verdict.kind !== 'fits' && verdict.kind !== 'repair') return;
  if (!report.applied) {
    output.line(`nothing was changed${report.unproved === null ? '; --apply writes this' : ''}`);
    return;
  }
  output.line('written; the agent can be started');
  if (report.keptCopy !== null) output.line(`the previous ${noun} is kept: ${report.keptCopy}`);
}

function foundText(records: Records): string {
  return records.found === 'broken' ? `broken: ${records.reason}` : records.found;
}

/** Why nothing could be done, and what can be; null where the command did its work. */
export function refusalOf(
  { keyring, noun, location, records, comparison, seal, unproved }: Report,
  given: GivenFlags & { readonly writes: boolean },
): string | null {
  const { verdict } = comparison;
  if (isRefused(seal) && given.writes) {
    return (
      `the ${noun} ${seal.text}; nothing was changed. Put the newest file back, or accept this one knowingly ` +
      `with: ${reconcileCommand(given, { acceptRecords: true })}`
    );
  }
  if (unproved !== null) {
    const kid = activeKid(comparison) ?? '';
    const others = comparison.rows.flatMap((row) =>
      row.kid !== null && row.kid !== kid && row.inToken === 'whole' && row.becomes !== 'revoked'
        ? [row.kid]
        : [],
    );
    return (
      `key ${kid} does not prove itself, so nothing was changed: ${unproved}. Where the token is well, name ` +
      `another key with --active KID${oneOf(others, seal, given)}`
    );
  }
  if (verdict.kind === 'choose') {
    const kids = verdict.candidates.map(({ kid }) => kid);
    return (
      `${verdict.reason}; nothing was changed. Name the key that is to be active with --active KID` +
      oneOf(kids, seal, given)
    );
  }
  if (verdict.kind !== 'no_key') return null;
  const steps = [
    ...(records.found === 'missing' ? [] : [`move ${location} away`]),
    ...(comparison.rows.some((row) => row.inToken !== 'absent')
      ? ["remove what is left of this keyring with the token's own tools"]
      : []),
    `give its keys up: ${forgetCommand('keyring', keyring)}`,
  ];
  return (
    `the token has no whole key of keyring ${keyring} to go on with; nothing was changed. If this is the right ` +
    `token and no copy of its keys can be put back: ${steps.join(', ')}, and the agent begins with new keys`
  );
}

/** The keys that can be named, and the whole command for the first of them. */
function oneOf(kids: readonly string[], seal: SealReport, given: GivenFlags): string {
  const [first] = kids;
  if (first === undefined) return '';
  const command = reconcileCommand(given, { active: first, acceptRecords: isRefused(seal) });
  return `, one of: ${kids.join(', ')}. For ${first}: ${command}`;
}

function activeKid({ verdict }: Comparison): string | null {
  return verdict.kind === 'fits' || verdict.kind === 'repair'
    ? (verdict.active?.kid ?? null)
    : null;
}

function remedy(row: Row): Cell {
  const activated = row.becomes === 'active' && row.recordedAs !== 'active';
  const replaced = row.recordedAs === 'active' && row.becomes === 'grace';
  switch (row.finding) {
    case 'fits':
      if (activated) return { text: 'becomes the active key', style: 'green' };
      if (replaced) return { text: 'is replaced, and valid for 7 days more', style: 'yellow' };
      return 'stays as it is';
    case 'moved': {
      const then = activated
        ? ', and it becomes active'
        : replaced
          ? '; it is replaced, and valid for 7 days more'
          : '';
      return { text: `its record is given this object id${then}`, style: 'yellow' };
    }
    case 'gone':
      return { text: 'GONE: its record is removed', style: 'red' };
    case 'unrecorded':
      return activated
        ? { text: 'is recorded as the active key', style: 'green' }
        : { text: 'is recorded as left over: valid no more', style: 'yellow' };
    case 'revoked':
      return row.recordedAs === null ? 'left alone: this key is revoked' : 'stays revoked';
    case 'announced':
      return "left to the agent's next start, which ends what was begun";
    case 'half_made':
      return { text: 'left alone: no whole key of this algorithm', style: 'yellow' };
    case 'duplicate':
      return { text: 'left alone: the same key once more', style: 'yellow' };
    case 'unusable':
      return { text: 'left alone: its object id or kid is missing or taken', style: 'yellow' };
  }
}

function consequences(
  { noun, records, instead, comparison, seal, clockReset }: Report,
  given: GivenFlags,
): string[] {
  const { rows, verdict } = comparison;
  const said: string[] = [];
  if (isRefused(seal)) {
    said.push(
      `The agent refuses this ${noun}. Put the newest file back; or accept this one knowingly, with what it does ` +
        'not know of later rotations and revocations:',
      `  ${reconcileCommand(given, { acceptRecords: true })}`,
    );
  }
  if (clockReset !== null) {
    said.push(
      `The latest time of the records, ${clockReset}, is dropped: the clock of now counts.`,
    );
  }
  const gone = rows.filter(({ finding }) => finding === 'gone').map(({ kid }) => kid ?? '');
  if (gone.length > 0) {
    said.push(
      `Gone from the token: ${gone.join(', ')}. Without their records, what they signed verifies here no more.`,
    );
  }
  if (instead !== null) {
    said.push(`What the ${noun} had when it was saved last is taken from its second copy.`);
  }
  if (records.found !== 'readable' && verdict.kind === 'repair') {
    said.push(
      `With the ${noun}, graces and revocations are lost. A copy of it, where there is one, is the better repair.`,
    );
  }
  const leftOver = rows.flatMap(({ kid, finding, becomes }) =>
    kid !== null && finding === 'unrecorded' && becomes === 'retired' ? [kid] : [],
  );
  if (leftOver.length > 0) {
    said.push(
      'Left-over keys may have been pruned or revoked, so they are not valid. To make one of them active:',
      ...leftOver.map(
        (active) => `  ${reconcileCommand(given, { active, acceptRecords: isRefused(seal) })}`,
      ),
    );
  }
  return said;
}
