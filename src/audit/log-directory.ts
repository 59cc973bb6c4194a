import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { errnoName } from '../base/errors.ts';
import { forgetCommand } from '../base/forget-command.ts';
import { FrameDecoder } from '../base/line-frames.ts';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { fileFailure, refusal, requirePrivate } from '../files/ownership.ts';
import { emptyChain, following, type ChainHead } from './chain/chain.ts';
import { hashOfLine, recordLine, type AuditEventName } from './chain/record.ts';

/** Many times the longest record, and what a power cut may have left of a write. */
const longestLine = 16 * 1024 * 1024;
/** Many times a record "closed", bytes. */
const longestClosing = 64 * 1024;
const newline = 0x0a;
const chunkLength = 256 * 1024;

/** The log as an agent that starts finds it. */
export interface FoundLog {
  readonly head: ChainHead;
  /** The newest file, which is to be written on: from 1. */
  readonly number: number;
  /** What counts of it, bytes. */
  readonly size: number;
  /** It is full, and ended with that: what comes belongs into the next one. */
  readonly isClosed: boolean;
  /** It is empty and not the first: its head is missing. */
  readonly needsHead: boolean;
  /** Bytes behind `size`: a record that was being written. */
  readonly torn: TornEnd | null;
}

interface TornEnd {
  readonly bytes: number;
  /** Lowercase hex. */
  readonly sha256: string;
}

/** `000001.jsonl`: six digits, or as many as it takes. */
export function fileName(number: number): string {
  return `${String(number).padStart(6, '0')}.jsonl`;
}

/**
 * Makes the directory where it is missing, and reads the newest file from its first line to its last. Throws AgentError
 * naming file, line and remedy where a whole line is no record or does not follow the one before, and where the log does
 * not go as far as `expected` (null: nothing is known to have been written): it is not repaired, and no new chain is
 * begun beside it.
 */
export function examineLog(dir: string, expected: ChainHead | null): FoundLog {
  ensurePrivateDir(dir);
  const numbers = numbersIn(dir);
  const number = numbers.at(-1) ?? 1;
  const before = headBefore(dir, numbers);
  if (numbers.length === 0) {
    if (expected !== null) throw lost(dir, `is empty, and the log had ${expected.seq} record(s)`);
    return { head: emptyChain, number, size: 0, isClosed: false, needsHead: false, torn: null };
  }
  const path = join(dir, fileName(number));
  const { last, size, rest } = readFile(path, before, expected);
  if (last === null && before === null) {
    throw broken(path, null, `is empty, and ${fileName(number - 1)} is not there to go on from`);
  }
  const head = last ?? before ?? emptyChain;
  if (expected !== null && head.seq < expected.seq) {
    throw lost(dir, `ends with record ${head.seq}, and record ${expected.seq} was written`);
  }
  return {
    head,
    number,
    size,
    isClosed: last?.event === 'closed',
    needsHead: last === null && rest === 0 && number > 1,
    torn: rest === 0 ? null : { bytes: rest, sha256: hashFrom(path, size) },
  };
}

function numbersIn(dir: string): readonly number[] {
  try {
    return readdirSync(dir)
      .map((name) => ({ name, number: Number.parseInt(name, 10) }))
      .filter(({ name, number }) => number > 0 && name === fileName(number))
      .map(({ number }) => number)
      .sort((a, b) => a - b);
  } catch (error) {
    throw fileFailure(dir, 'read', error);
  }
}

/** What the newest file goes on from; null where the file before was moved away. */
function headBefore(dir: string, numbers: readonly number[]): ChainHead | null {
  const [previous, newest = 1] = [numbers.at(-2), numbers.at(-1)];
  if (newest === 1) return emptyChain;
  if (previous !== newest - 1) return null;
  const path = join(dir, fileName(previous));
  const record = following(null, lastLineOf(path));
  if ('fault' in record || record.event !== 'closed') {
    throw broken(path, null, 'does not end in a record "closed", and there is a file after it');
  }
  return { seq: record.seq, hash: hashOfLine(recordLine(record)) };
}

/** With its newline where that is not the end of the file, and so no record then. */
function lastLineOf(path: string): Buffer {
  const fd = openChecked(path);
  try {
    const { size } = fstatSync(fd);
    const end = Buffer.alloc(Math.min(size, longestClosing));
    const read = end.subarray(0, readSync(fd, end, 0, end.length, size - end.length));
    const whole = read.at(-1) === newline ? read.subarray(0, -1) : read;
    return read === whole ? read : whole.subarray(whole.lastIndexOf(newline) + 1);
  } catch (error) {
    throw fileFailure(path, 'read', error);
  } finally {
    closeSync(fd);
  }
}

interface LastRecord extends ChainHead {
  readonly event: AuditEventName;
}

interface ReadFile {
  /** Null: there is none. */
  readonly last: LastRecord | null;
  /** Bytes of whole records. */
  readonly size: number;
  /** Bytes behind them: a torn record. */
  readonly rest: number;
}

/** `before` null: its first record follows one that is not known. */
function readFile(path: string, before: ChainHead | null, expected: ChainHead | null): ReadFile {
  const decoder = new FrameDecoder(longestLine);
  let head = before;
  let last: LastRecord | null = null;
  let [lines, size, total] = [0, 0, 0];
  let torn: string | null = null;
  for (const chunk of chunksOf(path, 0)) {
    total += chunk.length;
    decoder.push(chunk);
    for (let line = decoder.next(); line !== null; line = decoder.next()) {
      lines += 1;
      if (torn !== null) throw broken(path, lines - 1, torn);
      const record = following(head, line);
      if ('fault' in record) {
        if (looksWhole(line)) throw broken(path, lines, record.fault);
        torn = record.fault;
        continue;
      }
      last = { seq: record.seq, hash: hashOfLine(line), event: record.event };
      if (last.seq === expected?.seq && last.hash !== expected.hash) {
        throw lost(`${path}, line ${lines},`, 'is not the record of that number that was written');
      }
      head = last;
      size += line.length + 1;
    }
    if (decoder.tooLarge) throw broken(path, lines + 1, 'is longer than any record');
  }
  return { last, size, rest: total - size };
}

/** A kill leaves the start of a line; a power cut also a line of what was on the disk before. */
function looksWhole(line: Buffer): boolean {
  return line.subarray(0, 5).toString('latin1') === '{"v":' && line.at(-1) === 0x7d;
}

function hashFrom(path: string, start: number): string {
  const sha256 = createHash('sha256');
  for (const chunk of chunksOf(path, start)) sha256.update(chunk);
  return sha256.digest('hex');
}

/** Read in place: nothing else happens while the agent starts. */
function* chunksOf(path: string, start: number): Generator<Buffer> {
  const fd = openChecked(path);
  try {
    for (let position = start; ;) {
      // Each of its own: the decoder keeps pieces of it.
      const chunk = Buffer.allocUnsafeSlow(chunkLength);
      const length = readSync(fd, chunk, 0, chunk.length, position);
      if (length === 0) return;
      position += length;
      yield chunk.subarray(0, length);
    }
  } catch (error) {
    throw fileFailure(path, 'read', error);
  } finally {
    closeSync(fd);
  }
}

function openChecked(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoName(error) === 'ELOOP')
      throw refusal(path, 'is a symbolic link: put the file itself there');
    throw fileFailure(path, 'read', error);
  }
  try {
    const inode = fstatSync(fd);
    if (!inode.isFile()) throw refusal(path, 'is not a regular file');
    requirePrivate(path, inode, '600');
    return fd;
  } catch (failure) {
    closeSync(fd);
    throw failure;
  }
}

/** `fault` ends a sentence about the line, or about the file where that is null. */
function broken(path: string, line: number | null, fault: string): Error {
  const where = line === null ? '' : `, line ${line},`;
  return refusal(
    `${path}${where}`,
    `${fault}. The audit log is not repaired, and no other one is begun beside it. Put it back as it was; ${beginAnew}`,
  );
}

/** The log is not what was written; `found` follows the place. */
function lost(place: string, found: string): Error {
  return refusal(place, `${found}. Put the audit log back as it was; ${beginAnew}`);
}

const beginAnew =
  'or, where that cannot be, have what is left of it put aside and begin a new one knowingly, which its first record ' +
  `says: ${forgetCommand('audit')}`;
