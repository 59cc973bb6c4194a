import { once } from 'node:events';
import { parseRecord, type AuditRecord } from '../../../audit/chain/record.ts';
import { maxLineBytes, readLines, type AuditFile } from './audit-files.ts';
import { recordFilter, type FilterOptions } from './audit-filter.ts';
import { jsonPrinter, newestAlone, tablePrinter } from './audit-printers.ts';
import { auditSource } from './audit-source.ts';
import { CommandError, exitCodes, UsageError } from '../../shell/failure.ts';
import type { OfflineOptions } from '../../offline/offline-settings.ts';
import type { Invocation, Terminal } from '../../shell/terminal.ts';

export interface AuditShowOptions extends OfflineOptions, Omit<FilterOptions, 'keyrings'> {
  readonly limit?: string;
}

/** As many records are held at once for `--limit`. */
const mostLimited = 100_000;

/**
 * `agentctl audit show [FILE...]`: the records as they stand in the files. Verifies nothing; what is no record is named
 * in the end, behind what could be shown.
 */
export async function showAudit(invocation: Invocation<AuditShowOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const limit = options.limit === undefined ? null : limitOf(options.limit);
  const now = terminal.now();
  const isWanted = recordFilter({ ...options, keyrings: globals.keyrings }, now);
  const { files, isBeingWritten } = auditSource(args as readonly string[], options, terminal);
  const all = globals.json ? jsonPrinter(terminal) : tablePrinter(terminal, now);
  const printer = limit === null ? all : newestAlone(limit, all);
  const reader = new Reader(terminal);
  const faults: string[] = [];
  for (const file of files) {
    const mayBeTorn = isBeingWritten && file === files.at(-1);
    const take = (record: AuditRecord): void => {
      if (isWanted(record)) printer.print(record);
    };
    faults.push(...(await readRecords(file, mayBeTorn, take, reader)));
    if (reader.isGone) return exitCodes.done;
  }
  printer.end();
  const [first] = faults;
  if (first === undefined) return exitCodes.done;
  const more = faults.length === 1 ? '' : `; there are others in ${faults.length - 1} more files`;
  throw new CommandError(`not everything could be shown: ${first}${more}`);
}

/** Answers the first thing in the file that is no record, or nothing. */
async function readRecords(
  file: AuditFile,
  mayBeTorn: boolean,
  take: (record: AuditRecord) => void,
  reader: Reader,
): Promise<readonly string[]> {
  let line = 0;
  const faults: string[] = [];
  const found = (text: string): void => {
    if (faults.length === 0) faults.push(`${file.path}, line ${line}: ${text}`);
  };
  const end = await readLines(
    file,
    (bytes) => {
      line += 1;
      const record = parseRecord(bytes);
      if ('fault' in record) found(`the line ${record.fault}`);
      else take(record);
    },
    () => reader.isThere(),
  );
  line += 1;
  if (end.end === 'too_long') found(`the line has more than ${maxLineBytes} bytes`);
  if (end.end === 'torn' && !mayBeTorn) found(`${end.bytes} bytes without a newline`);
  return faults;
}

/**
 * Whoever reads what is printed. That the reader goes away, or that a disk is full, is said where stdout is owned; here it only
 * means that nothing more is wanted.
 */
class Reader {
  readonly #stdout: Terminal['stdout'];
  readonly #gone = new AbortController();

  constructor({ stdout }: Terminal) {
    this.#stdout = stdout;
    stdout.once('error', () => {
      this.#gone.abort();
    });
  }

  get isGone(): boolean {
    return this.#gone.signal.aborted;
  }

  /** Waits for a slow reader; answers whether there is one. */
  async isThere(): Promise<boolean> {
    // Failures of what was written are told by then.
    await new Promise(setImmediate);
    if (this.#stdout.writableNeedDrain && !this.isGone) {
      await once(this.#stdout, 'drain', { signal: this.#gone.signal }).catch(() => undefined);
    }
    return !this.isGone;
  }
}

function limitOf(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= mostLimited) return limit;
  throw new UsageError(`--limit: not a number from 1 to ${mostLimited}: ${text}`);
}
