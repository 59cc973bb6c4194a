import type { Place, Verdict } from '../../../audit/chain/verdict.ts';
import type { Cell, Output } from '../../shell/output.ts';
import { when } from '../../shell/when.ts';

/** What `agentctl audit verify` found, and with what. */
export interface AuditReport {
  readonly verdict: Verdict;
  /** Path of the JWK Set. */
  readonly keysFrom: string;
  /** An agent runs on these files. */
  readonly isBeingWritten: boolean;
  readonly warnings: readonly string[];
}

/** For `--json`. */
export function verdictDocument({ verdict, keysFrom, warnings }: AuditReport): unknown {
  const { valid, files, records, first, last, head, problems, problemCount } = verdict;
  return {
    valid,
    files,
    records,
    first_seq: first?.seq ?? null,
    last_seq: last?.seq ?? null,
    head: head === null ? null : { seq: head.seq, time: head.time, hash: head.hash },
    signed_through: verdict.signedThrough,
    unsigned_tail: verdict.unsignedTail,
    signers: verdict.signers,
    keys_from: keysFrom,
    problems,
    problem_count: problemCount,
    warnings,
  };
}

/** For people: what holds, up to where, and what they should know besides. */
export function printVerdict(report: AuditReport, output: Output, now: number): void {
  const { verdict, keysFrom, isBeingWritten, warnings } = report;
  const { valid, records, files, first, last, head, signers } = verdict;
  output.table([
    ['chain', valid ? { text: 'valid', style: 'green' } : { text: 'not valid', style: 'red' }],
    ['records', recordsText(records, files, first)],
    ...(first === null || last === null
      ? []
      : [
          ['first', `record ${first.seq}, ${when(first.time, now)}`],
          ['last', `record ${last.seq}, ${when(last.time, now)}`],
        ]),
    ['signed by', signers.length === 0 ? 'nobody' : signers.join(', ')],
    ['signed through', signedThrough(verdict)],
    ['keys from', keysFrom],
    ...(head === null ? [] : [[valid ? 'head' : 'chained up to', `${head.seq}:${head.hash}`]]),
    ...(isBeingWritten ? [['agent', 'runs, and writes on']] : []),
  ]);
  for (const warning of warnings) {
    output.line({ text: 'warning', style: 'yellow' }, `: ${warning}`);
  }
  if (!valid || head === null) return;
  output.line('');
  output.line(
    'What is cut off at a signed record leaves a chain that holds. To see that too, keep the head',
  );
  output.line(`elsewhere, and next time give: --head ${head.seq}:${head.hash}`);
}

/** The first problem, and what holds before it. */
export function failureText({
  problems,
  problemCount,
  head,
  signedThrough: signed,
}: Verdict): string {
  const [problem] = problems;
  if (problem === undefined) throw new Error('a verdict without a problem has no failure');
  const { file, line, seq } = problem;
  const where = [
    file,
    ...(line === null ? [] : [`line ${line}`]),
    ...(seq === null ? [] : [`record ${seq}`]),
  ].join(', ');
  const before =
    head === null
      ? 'no record before it is good'
      : `the last good record is ${head.seq} (${head.file}, line ${head.line}, ${head.time}), and ` +
        (signed === null ? 'none is vouched for' : `those up to ${signed} are vouched for`);
  const more = problemCount === 1 ? '' : `. Problems in all: ${problemCount}; --json lists them`;
  return `the audit log does not verify: ${where}: ${problem.problem}; ${before}${more}`;
}

function recordsText(records: number, files: number, first: Place | null): string {
  const text = `${records} in ${files === 1 ? '1 file' : `${files} files`}`;
  return first === null || first.seq === 1
    ? text
    : `${text}, from record ${first.seq} on: what was before is not here`;
}

function signedThrough({ valid, signedThrough: seq, unsignedTail }: Verdict): Cell {
  const text = seq === null ? 'nothing' : `record ${seq}`;
  if (unsignedTail === 0) return text;
  const tail = valid ? 'chained, and not signed yet' : 'not vouched for';
  return { text: `${text}; behind it, ${tail}: ${unsignedTail}`, style: 'yellow' };
}
