import { AgentError, describeFailure } from '../base/errors.ts';
import { damaged } from './database-files.ts';

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const busy = 5;
const locked = 6;
const corrupt = 11;
const notADatabase = 26;
/** SQLITE_READONLY, IOERR, FULL, CANTOPEN, AUTH and PERM: the file system's doing. */
const ofTheFileSystem: ReadonlySet<number> = new Set([3, 8, 10, 13, 14, 23]);

/** A failure of SQLite on the database at `path`, as one that callers know. Any other one stays as it is. */
export function databaseFailure(path: string, failure: unknown): unknown {
  const code = resultCode(failure);
  if (code === null) return failure;
  const cause = { cause: failure };
  if (code === busy || code === locked) {
    return new AgentError('conflict', `another process keeps ${path} locked: try again`, cause);
  }
  if (code === corrupt || code === notADatabase) {
    return damaged(path, `or no database: ${describeFailure(failure)}`, failure);
  }
  if (!ofTheFileSystem.has(code)) return failure;
  return new AgentError(
    'backend_unavailable',
    `${path} cannot be used: ${describeFailure(failure)}`,
    cause,
  );
}

/** Of what SQLite throws, and of what `databaseFailure` makes of that. */
export function isBusy(failure: unknown): boolean {
  const code = resultCode(failure instanceof AgentError ? failure.cause : failure);
  return code === busy || code === locked;
}

/** Null where it did not come from SQLite. The extended code has the primary one in its lowest byte. */
function resultCode(failure: unknown): number | null {
  if (!(failure instanceof Error) || !('errcode' in failure)) return null;
  return typeof failure.errcode === 'number' ? failure.errcode & 0xff : null;
}
