import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { errnoName } from '../base/errors.ts';
import { fileFailure, lstatOrNull, refusal, requirePrivate } from './ownership.ts';

/**
 * Makes a directory that only this user may enter, with those above it where they are missing (each 0700), or
 * checks the one that is there. Throws AgentError naming the path and the remedy for a symbolic link, anything
 * but a directory, a foreign owner, or rights of group or others.
 */
export function ensurePrivateDir(path: string): void {
  // Without a trailing slash: lstat would follow a link behind one.
  const directory = resolve(path);
  try {
    if (lstatOrNull(directory) === null) mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Checked after making it as well: someone else may have been quicker.
    const inode = lstatOrNull(directory);
    if (inode === null) throw refusal(directory, 'vanished while it was being made');
    if (inode.isSymbolicLink()) {
      throw refusal(directory, 'is a symbolic link: give the directory itself');
    }
    if (!inode.isDirectory()) throw refusal(directory, 'is not a directory');
    requirePrivate(directory, inode, '700');
  } catch (error) {
    if (errnoName(error) === 'ENOTDIR') {
      throw refusal(directory, 'cannot be made: something above it is not a directory', error);
    }
    throw fileFailure(directory, 'make the directory', error);
  }
}
