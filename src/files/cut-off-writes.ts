import { closeSync, constants, openSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { describeFailure } from '../base/errors.ts';
import type { Libc } from '../native/libc.ts';
import { effectiveUid, lstatOrNull } from './ownership.ts';

/** Temporary names: of durableFiles in any directory, and of a database that was being made. */
const anyFile = /^\..+\.[0-9a-f]{16}\.tmp$/;
const newDatabase = /^agent\.db\.[0-9a-f]{16}\.tmp(-journal|-wal|-shm)?$/;

/** Folders in the state dir that have files of ours; in those of `keyrings` there are the keys of a TPM. */
const folders = ['audit', 'keyrings', 'copies', join('copies', 'keyrings')] as const;

/**
 * Removes what writers that were killed have left in a state dir: it may hold keys, and nothing else would ever look at
 * it. Only regular files of this user under names that only we give, and only where no writer is at work: the caller
 * holds the lock of the state dir, and each directory is locked meanwhile as writers lock it. Never throws: what cannot
 * be removed is logged, and tried again at the next start.
 */
export function removeCutOffWrites(
  stateDir: string,
  libc: Pick<Libc, 'tryLock'>,
  log: Pick<Logger, 'warn'>,
): void {
  const keyrings = join(stateDir, 'keyrings');
  const directories = [
    stateDir,
    ...folders.map((name) => join(stateDir, name)),
    ...namesIn(keyrings).map((name) => join(keyrings, name)),
  ];
  for (const directory of directories) {
    try {
      const isOurs = (name: string): boolean =>
        anyFile.test(name) || (directory === stateDir && newDatabase.test(name));
      const removed = isDirectory(directory) ? removeFrom(directory, libc, isOurs) : [];
      if (removed.length > 0) {
        log.warn({ directory, removed }, 'removed what a write that was cut off had left');
      }
    } catch (failure) {
      const reason = describeFailure(failure);
      log.warn({ directory, reason }, 'could not remove what a write that was cut off has left');
    }
  }
}

function removeFrom(
  directory: string,
  libc: Pick<Libc, 'tryLock'>,
  isOurs: (name: string) => boolean,
): readonly string[] {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const fd = openSync(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    if (!libc.tryLock(fd)) return []; // a writer is at work, which removes what is left of its own file
    const uid = effectiveUid();
    const left = readdirSync(directory).filter((name) => {
      if (!isOurs(name)) return false;
      const inode = lstatOrNull(join(directory, name));
      return inode?.isFile() === true && inode.uid === uid;
    });
    for (const name of left) unlinkSync(join(directory, name));
    return left;
  } finally {
    closeSync(fd);
  }
}

function isDirectory(path: string): boolean {
  return lstatOrNull(path)?.isDirectory() === true;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // what cannot be listed is told of by who needs it
  }
}
