import type { AuditRecord } from '../../../audit/chain/record.ts';
import { Output, type Cell, type Style } from '../../shell/output.ts';
import type { Terminal } from '../../shell/terminal.ts';
import { jsonText } from '../../shell/text.ts';
import { when } from '../../shell/when.ts';

/** Where records are shown, one after the other; nothing is complete before `end`. */
export interface RecordPrinter {
  print(record: AuditRecord): void;
  end(): void;
}

/** Columns are as wide as these many rows need, so that a long log is shown while it is read. */
const rowsAtOnce = 500;

/** For people. `now`: milliseconds since the epoch. */
export function tablePrinter(terminal: Terminal, now: number): RecordPrinter {
  const output = new Output(terminal);
  let rows: Cell[][] = [];
  let count = 0;
  const flush = (): void => {
    if (rows.length > 0) output.table([header, ...rows]);
    rows = [];
  };
  return {
    print: (record) => {
      count += 1;
      rows.push(rowOf(record, now));
      if (rows.length === rowsAtOnce) flush();
    },
    end: () => {
      flush();
      if (count === 0) output.line('no record');
    },
  };
}

/** One JSON array in one line. */
export function jsonPrinter({ stdout }: Terminal): RecordPrinter {
  let before = '[';
  return {
    print: (record) => {
      stdout.write(before + jsonText(record));
      before = ',';
    },
    end: () => {
      stdout.write(before === '[' ? '[]\n' : ']\n');
    },
  };
}

/** The last `limit` records alone. */
export function newestAlone(limit: number, printer: RecordPrinter): RecordPrinter {
  const kept: AuditRecord[] = [];
  let at = 0;
  return {
    print: (record) => {
      kept[at] = record;
      at = (at + 1) % limit;
    },
    end: () => {
      for (const record of [...kept.slice(at), ...kept.slice(0, at)]) printer.print(record);
      printer.end();
    },
  };
}

const header = ['SEQ', 'TIME', 'WHO', 'METHOD', 'KEYRING', 'KID', 'OUTCOME', 'WHY'].map(
  (text): Cell => ({ text, style: 'dim' }),
);

const styles: Readonly<Record<NonNullable<AuditRecord['outcome']>, Style>> = {
  begun: 'dim',
  done: 'green',
  refused: 'yellow',
  failed: 'red',
};

function rowOf(record: AuditRecord, now: number): Cell[] {
  const { seq, time, event, method, keyring, kid, outcome } = record;
  return [
    `${seq}`,
    when(time, now),
    who(record),
    event === 'operation' ? (method ?? '-') : { text: `(${event})`, style: 'dim' },
    keyring ?? '-',
    kid ?? '-',
    outcome === null ? '-' : { text: outcome, style: styles[outcome] },
    why(record),
  ];
}

function who({ uid, user, api_key: apiKey, scope, repeated }: AuditRecord): string {
  if (uid === null) {
    if (apiKey !== null) return apiKey;
    if (scope === null) return 'the agent';
    return repeated === null ? 'the network' : 'several callers';
  }
  const peer = user === null ? `uid ${uid}` : `${user} (${uid})`;
  return apiKey === null ? peer : `${apiKey}, ${peer}`;
}

function why({ kind, reason, subject, of, repeated }: AuditRecord): string {
  const parts = [
    ...(subject === null ? [] : [subject]),
    ...(of === null ? [] : [`of ${of}`]),
    ...(kind === null ? [] : [kind]),
    ...(reason === null ? [] : [reason]),
    ...(repeated === null ? [] : [`and ${repeated} more`]),
  ];
  return parts.length === 0 ? '-' : parts.join('; ');
}
