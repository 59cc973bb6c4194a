import { closeSync, constants, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoName } from '../errors.ts';
import {
  fileFailure,
  lstatOrNull,
  refusal,
  requirePrivate,
  requireTrustedParent,
} from './ownership.ts';

export function databaseExists(path: string): boolean {
  return lstatOrNull(path) !== null;
}

/**
 * Makes the file of a database where it is missing, 0600, and checks it and those that SQLite has beside it: each of
 * this user, closed to others. SQLite gives them the owner and the mode of the database. Throws AgentError.
 */
export function prepareFiles(path: string): void {
  try {
    requireTrustedParent(path);
    if (!requireSafe(path)) create(path);
    for (const beside of ['-wal', '-shm', '-journal']) requireSafe(`${path}${beside}`);
  } catch (failure) {
    throw fileFailure(path, 'open', failure);
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

/** False where there is no such file. */
function requireSafe(path: string): boolean {
  const inode = lstatOrNull(path);
  if (inode === null) return false;
  if (inode.isSymbolicLink()) throw refusal(path, 'is a symbolic link, which is not followed');
  if (!inode.isFile()) throw refusal(path, 'is not a regular file');
  requirePrivate(path, inode, '600');
  return true;
}

function create(path: string): void {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, O_RDONLY, O_DIRECTORY } = constants;
  try {
    closeSync(openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
  } catch (failure) {
    if (errnoName(failure) !== 'EEXIST') throw failure;
    requireSafe(path); // another process was quicker
    return;
  }
  const directory = openSync(dirname(path), O_RDONLY | O_DIRECTORY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
