import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeFailure, errnoName } from '../../base/errors.ts';
import { lstatOrNull } from '../../files/ownership.ts';
import { CommandError } from './failure.ts';

/** Throws CommandError where something of that name is there, a symbolic link too. */
export function refuseExisting(path: string): void {
  if (lstatOrNull(path) !== null) throw exists(path);
}

/**
 * Writes a file that only this user may read (mode 0600), whole or not at all. Another one of that name is replaced
 * only where `replace` says so, and where it is a regular file; otherwise CommandError.
 */
export function writePrivateFile(
  path: string,
  text: string,
  { replace }: { replace: boolean },
): void {
  if (replace && lstatOrNull(path)?.isFile() === false) {
    throw new CommandError(`${path} is not a regular file, and is not replaced`);
  }
  const name = `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`;
  const temporary = join(dirname(path), name);
  try {
    writeTo(temporary, text);
    try {
      // Unlike rename(2), link(2) replaces nothing.
      if (replace) renameSync(temporary, path);
      else linkSync(temporary, path);
    } finally {
      if (lstatOrNull(temporary) !== null) unlinkSync(temporary);
    }
    syncDirectory(dirname(path));
  } catch (error) {
    if (errnoName(error) === 'EEXIST') throw exists(path);
    throw new CommandError(`cannot write ${path}: ${describeFailure(error)}`, { cause: error });
  }
}

function writeTo(path: string, text: string): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeFileSync(fd, text);
    fsyncSync(fd);
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function exists(path: string): CommandError {
  return new CommandError(`${path} is there already, and was not touched: --force replaces it`);
}
