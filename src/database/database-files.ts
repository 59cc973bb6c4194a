import { randomBytes } from 'node:crypto';
import { closeSync, constants, fsyncSync, linkSync, openSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { forgetCommand } from '../base/forget-command.ts';
import { errnoName, type AgentError } from '../base/errors.ts';
import {
  fileFailure,
  lstatOrNull,
  refusal,
  requirePrivate,
  requireTrustedParent,
} from '../files/ownership.ts';

export function databaseExists(path: string): boolean {
  return lstatOrNull(path) !== null;
}

/**
 * Checks the file of a database, and those that SQLite has beside it: each of this user, closed to others. SQLite gives
 * them the owner and the mode of the database. One that is empty was cut off: ours never are. Throws AgentError.
 */
export function checkFiles(path: string): void {
  try {
    requireTrustedParent(path);
    for (const beside of ['', '-wal', '-shm', '-journal']) requireSafe(`${path}${beside}`);
    if (lstatOrNull(path)?.size === 0) throw damaged(path, 'it is empty');
  } catch (failure) {
    throw fileFailure(path, 'open', failure);
  }
}

/** What it means to go on without the database, for messages. */
export const lostWithIt =
  'then client keys have to be registered and clusters trusted again, and join tokens that were revoked are valid';

export function damaged(path: string, what: string, cause?: unknown): AgentError {
  return refusal(
    path,
    `is damaged (${what}): it was left alone; put back a copy; or move it away and begin without it knowingly: ` +
      `${forgetCommand('database')} (${lostWithIt})`,
    cause,
  );
}

/**
 * Makes a file under its name in one step: `fill` is given an empty one, 0600, to write to and close. Where another
 * process was quicker its file stays. Throws AgentError, and then there is none.
 */
export function makeWhole(path: string, fill: (fresh: string) => void): void {
  const fresh = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, O_RDONLY, O_DIRECTORY } = constants;
  try {
    requireTrustedParent(path);
    closeSync(openSync(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
    try {
      fill(fresh);
      linkSync(fresh, path);
    } finally {
      unlinkSync(fresh);
    }
    const directory = openSync(dirname(path), O_RDONLY | O_DIRECTORY);
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  } catch (failure) {
    if (errnoName(failure) !== 'EEXIST') throw fileFailure(path, 'make', failure);
  }
}

/** What tells a file from another one of its name; null where there is none. Throws AgentError. */
export function inodeOf(path: string): string | null {
  try {
    const inode = lstatOrNull(path);
    return inode === null ? null : `${inode.dev}:${inode.ino}`;
  } catch (failure) {
    throw fileFailure(path, 'examine', failure);
  }
}

/**
 * Throws `backend_unavailable` unless the file that was opened is still there. Without, SQLite goes on with one that
 * nobody finds any more, and what it acknowledges is lost.
 */
export function requireSame(path: string, opened: string | null): void {
  const current = inodeOf(path);
  if (current !== null && current === opened) return;
  const what = current === null ? 'was removed' : 'was replaced by another file';
  throw refusal(
    path,
    `${what} while the agent had it open: restart the agent, which opens what is there then`,
  );
}

function requireSafe(path: string): void {
  const inode = lstatOrNull(path);
  if (inode === null) return;
  if (inode.isSymbolicLink()) throw refusal(path, 'is a symbolic link, which is not followed');
  if (!inode.isFile()) throw refusal(path, 'is not a regular file');
  requirePrivate(path, inode, '600');
}
