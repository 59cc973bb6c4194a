import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describeFailure, errnoName } from '../../../base/errors.ts';
import { FrameDecoder } from '../../../base/line-frames.ts';
import { CommandError, UsageError } from '../../shell/failure.ts';

/** Many times the longest record that the agent writes. */
export const maxLineBytes = 1024 * 1024;

/** A file of the audit log as it was when it was looked at. */
export interface AuditFile {
  readonly path: string;
  /** Bytes that are read of it: a running agent writes on. Null: a pipe, which is read to its end. */
  readonly size: number | null;
}

/**
 * How reading a file ends: with a whole line, with bytes that have no newline, in a line that is too long to be read,
 * or because nobody wants more.
 */
export type FileEnd =
  | { readonly end: 'left' }
  | { readonly end: 'whole' }
  | { readonly end: 'torn'; readonly bytes: number }
  | { readonly end: 'too_long' };

/** The files of an agent's own audit directory, oldest first, and the names there that only look like one. */
export function filesIn(dir: string): {
  readonly files: readonly AuditFile[];
  readonly strange: readonly string[];
} {
  const names = namesIn(dir).filter((name) => name.endsWith('.jsonl'));
  const isOfLog = (name: string): boolean => /^\d{6,}\.jsonl$/.test(name);
  const number = (name: string): number => Number.parseInt(name, 10);
  const ordered = names.filter(isOfLog).sort((a, b) => number(a) - number(b));
  if (ordered.length === 0) throw new CommandError(`${dir} has no audit files (000001.jsonl, ...)`);
  return {
    files: ordered.map((name) => inspectFile(join(dir, name), commandError)),
    strange: names.filter((name) => !isOfLog(name)),
  };
}

/** The files that a command line names, in its order. */
export function namedFiles(paths: readonly string[]): readonly AuditFile[] {
  return paths.map((path) => inspectFile(path, usageError));
}

/**
 * Hands over the file's lines without their newlines, many at a time, and answers how it ends. What stands behind
 * a line that is too long is not read. `goOn` is asked now and then whether more is wanted.
 */
export async function readLines(
  { path, size }: AuditFile,
  take: (line: Buffer) => void,
  goOn: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<FileEnd> {
  if (size === 0) return { end: 'whole' };
  const decoder = new FrameDecoder(maxLineBytes);
  let unfinished = 0;
  const range = size === null ? {} : { end: size - 1 };
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024, ...range })) {
      unfinished += (chunk as Buffer).length;
      decoder.push(chunk as Buffer);
      for (let line = decoder.next(); line !== null; line = decoder.next()) {
        unfinished -= line.length + 1;
        take(line);
      }
      if (decoder.tooLarge) return { end: 'too_long' };
      if (!(await goOn())) return { end: 'left' };
    }
  } catch (failure) {
    if (errnoName(failure) === null) throw failure;
    throw unreadable(path, failure, commandError);
  }
  return unfinished === 0 ? { end: 'whole' } : { end: 'torn', bytes: unfinished };
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (failure) {
    if (errnoName(failure) !== 'ENOENT') throw unreadable(dir, failure, commandError);
    throw new CommandError(
      `there is no audit log at ${dir}: give the state dir or the configuration that the agent is started with ` +
        '(--state-dir, --config), or the files themselves; an agent without [audit] enabled = true keeps none',
      { cause: failure },
    );
  }
}

function inspectFile(path: string, asError: AsError): AuditFile {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) {
      throw asError(`${path} is a directory: give its files, or the state dir with --state-dir`);
    }
    return { path, size: stat.isFile() ? stat.size : null };
  } catch (failure) {
    if (errnoName(failure) === null) throw failure;
    throw unreadable(path, failure, asError);
  }
}

type AsError = (message: string, cause?: unknown) => Error;
const commandError: AsError = (message, cause) => new CommandError(message, { cause });
const usageError: AsError = (message, cause) => new UsageError(message, { cause });

function unreadable(path: string, cause: unknown, asError: AsError): Error {
  const errno = errnoName(cause);
  if (errno === 'EACCES' || errno === 'EPERM') {
    return asError(`may not read ${path}: run this as the agent's user`, cause);
  }
  return asError(`cannot read ${path}: ${describeFailure(cause)}`, cause);
}
