import { closeSync, fstatSync } from 'node:fs';
import { AgentError } from '../base/errors.ts';
import type { Libc } from '../native/libc.ts';
import type { World } from '../base/world.ts';
import { openLockFile } from './state-dir-lock.ts';
import { fileFailure, lstatOrNull, requirePrivate, requireTrustedParent } from './ownership.ts';

/** How long a writer waits for its turn, milliseconds. */
const patience = 60_000;
/** Between two looks; random, so that many who wait do not look all at once. Milliseconds. */
const shortestPause = 5;
const pauseSpread = 95;
/**
 * Who has waited for this long looks twice as often, and so on: flock(2) gives the lock to who looks first, and of
 * fifty on a busy machine one would never be that. Milliseconds.
 */
const halving = 1000;

export interface LockParts {
  readonly libc: Pick<Libc, 'tryLock'>;
  readonly world: Pick<World, 'monotonicNow' | 'pause' | 'randomBytes'>;
}

/**
 * Does the work while it holds the exclusive lock (flock(2)) of a lock file, which is made where it is missing and
 * never removed: whoever removed it would let two hold two different files. The kernel ends the lock with the process.
 *
 * Rejects as the work does; with `conflict` where others have held it for 60 s, and `backend_unavailable` for a file
 * that is not acceptable: then nothing was done.
 */
export async function underFileLock<T>(
  path: string,
  parts: LockParts,
  work: () => Promise<T>,
): Promise<T> {
  const fd = locked(path, () => {
    requireTrustedParent(path);
    return openLockFile(path);
  });
  try {
    locked(path, () => {
      requirePrivate(path, fstatSync(fd), '600');
    });
    await take(path, fd, parts);
    return await work();
  } finally {
    closeSync(fd);
  }
}

async function take(path: string, fd: number, { libc, world }: LockParts): Promise<void> {
  const started = world.monotonicNow();
  while (!locked(path, () => libc.tryLock(fd))) {
    const waited = world.monotonicNow() - started;
    if (waited > patience) {
      throw new AgentError(
        'conflict',
        `other processes have held ${path} for ${patience / 1000} s: try again; where it stays so, ` +
          `"fuser ${path}" shows who holds it`,
      );
    }
    const [random = 0] = world.randomBytes(1);
    const spread = pauseSpread / (1 + waited / halving);
    await world.pause(shortestPause + (random / 256) * spread);
  }
  // Locked, but no more what others find under the name.
  if (lstatOrNull(path)?.ino !== fstatSync(fd).ino) {
    throw new AgentError('conflict', `${path} was replaced while it was being locked: try again`);
  }
}

function locked<T>(path: string, doing: () => T): T {
  try {
    return doing();
  } catch (error) {
    throw fileFailure(path, 'lock', error);
  }
}
