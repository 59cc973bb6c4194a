import { randomBytes } from 'node:crypto';
import { constants, lstatSync, readdirSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from '../base/errors.ts';
import type { Libc } from '../native/libc.ts';
import { readChecked, requireReadable, symbolicLink } from './checked-read.ts';
import type { Files } from '../base/files.ts';
import { isFull, Reserve } from './reserve.ts';
import { contentHash, plainIdentity, splitIdentity, youngIdentity } from './identity.ts';
import {
  fileFailure,
  lstatOrNull,
  refusal,
  requirePrivate,
  requireTrustedParent,
} from './ownership.ts';

/** How long a writer waits for another one in the same directory. */
const lockWaitMs = 5000;
const firstRetryMs = 1;
const longestRetryMs = 50;

/**
 * `Files` on the real file system. Every failure is an AgentError naming the path: `backend_unavailable` with
 * the remedy or the errno, or `conflict`. Identities follow `identity.ts`.
 *
 * A file that root owns is read by everyone who may, and when replaced it becomes the writer's. Root does not
 * write other users' files or into their directories: the result would be closed to the agent they belong to.
 */
export function durableFiles(libc: Libc): Files {
  const reserves = new Map<string, Reserve>();
  let urgent = 0;
  const spare: Spare = (path, length) => {
    if (urgent === 0) return null;
    const { dev } = lstatSync(dirname(path));
    const near = [...reserves.values()].find(({ device }) => device === dev);
    return near?.take(length) ?? null;
  };
  return {
    identify(path) {
      try {
        const inode = lstatSync(path, { bigint: true, throwIfNoEntry: false });
        return inode === undefined ? null : plainIdentity(inode);
      } catch (error) {
        throw fileFailure(path, 'examine', error);
      }
    },

    read: readChecked,

    async replace(path, bytes, expected) {
      return underLock(libc, path, expected, (directory) =>
        written({ path, bytes, directory, spare }, (temporary) => {
          renameSync(temporary, path);
        }),
      );
    },

    async exchange(path, bytes, expected) {
      let before: Buffer | null = null;
      const identity = await underLock(libc, path, expected, (directory) =>
        written({ path, bytes, directory, spare }, (temporary) => {
          before = exchanged(libc, temporary, path, expected);
        }),
      );
      return { identity, before };
    },

    async urgently(work) {
      urgent += 1;
      try {
        return await work();
      } finally {
        urgent -= 1;
        for (const reserve of reserves.values()) reserve.fill();
      }
    },

    holdReserve(dir) {
      const held = reserves.get(dir);
      if (held === undefined) reserves.set(dir, new Reserve(dir, libc));
      else held.fill();
    },

    tidy(path) {
      try {
        if (lstatOrNull(dirname(path)) !== null) removeLeftovers(path);
      } catch (error) {
        throw fileFailure(path, 'look for leftovers of', error);
      }
    },

    discard(path, expected) {
      try {
        const inode = lstatSync(path, { bigint: true, throwIfNoEntry: false });
        if (inode === undefined) return;
        if (plainIdentity(inode) === splitIdentity(expected).plain) unlinkSync(path);
      } catch (error) {
        throw fileFailure(path, 'remove', error);
      }
    },
  };
}

/** Locking the directory serialises check and write of all our processes and leaves no lock file. */
async function underLock<T>(
  libc: Libc,
  path: string,
  expected: string | null,
  work: (directory: FileHandle) => Promise<T>,
): Promise<T> {
  try {
    requireTrustedParent(path);
    const directory = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await lockUnchanged(libc, directory.fd, path, expected);
      removeLeftovers(path);
      return await work(directory);
    } finally {
      await directory.close();
    }
  } catch (error) {
    throw fileFailure(path, 'replace', error);
  }
}

/** Locks the directory; throws `conflict` as soon as the file is not what the caller last saw. */
async function lockUnchanged(
  libc: Libc,
  fd: number,
  path: string,
  expected: string | null,
): Promise<void> {
  const deadline = performance.now() + lockWaitMs;
  let pause = firstRetryMs;
  while (!libc.tryLock(fd)) {
    if (performance.now() > deadline) {
      throw new AgentError(
        'conflict',
        `another process has kept ${dirname(path)} locked for ${lockWaitMs / 1000} s: try again`,
      );
    }
    // The writer that is ahead may just have decided it.
    requireUnchanged(path, expected);
    await sleep(pause);
    pause = Math.min(longestRetryMs, pause * 2);
  }
  requireUnchanged(path, expected);
}

/** Throws `conflict` unless the file is what the caller last saw. Only under the lock that stays so. */
function requireUnchanged(path: string, expected: string | null): void {
  const inode = lstatOrNull(path);
  if (inode === null) {
    if (expected !== null) throw changed(path, 'was removed');
    return;
  }
  if (inode.isSymbolicLink()) throw symbolicLink(path);
  if (!inode.isFile()) throw refusal(path, 'is not a regular file');
  requirePrivate(path, inode, '600');
  if (expected === null) throw changed(path, 'exists already');

  const wanted = splitIdentity(expected);
  const current = lstatSync(path, { bigint: true });
  if (plainIdentity(current) !== wanted.plain) throw changed(path, 'was changed');
  if (
    wanted.hash !== null &&
    contentHash(readChecked(path)?.bytes ?? Buffer.alloc(0)) !== wanted.hash
  ) {
    throw changed(path, 'was changed');
  }
}

/** Path of a file that has its space already, to be written over; null where there is none for the caller. */
type Spare = (path: string, length: number) => string | null;

interface Writing {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly directory: FileHandle;
  readonly spare: Spare;
}

/** Writes a temporary file, which `place` puts under the name of the file; answers the identity of the result. */
async function written(
  { path, bytes, directory, spare }: Writing,
  place: (temporary: string) => void,
): Promise<string> {
  requireReadable(path, bytes.length);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
  const { O_CREAT, O_EXCL } = constants;
  try {
    await writtenTo(temporary, O_CREAT | O_EXCL, bytes, place);
  } catch (failure) {
    const reserved = isFull(failure) ? spare(path, bytes.length) : null;
    if (reserved === null) throw failure;
    await writtenTo(reserved, 0, bytes, place);
  }
  const identity = youngIdentity(lstatSync(path, { bigint: true }), bytes);
  // The new name itself reaches the disk only with its directory.
  await directory.sync();
  return identity;
}

/** `create`: flags with which it is opened beside. What it has of the disk beyond the bytes stays its own. */
async function writtenTo(
  temporary: string,
  create: number,
  bytes: Uint8Array,
  place: (temporary: string) => void,
): Promise<void> {
  const file = await open(temporary, constants.O_WRONLY | constants.O_NOFOLLOW | create, 0o600);
  try {
    try {
      await file.writeFile(bytes);
      if ((await file.stat()).size > bytes.length) await file.truncate(bytes.length);
      await file.sync();
    } finally {
      await file.close();
    }
    place(temporary);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Puts the temporary file under the name of the other one, and answers what was there. */
function exchanged(
  libc: Libc,
  temporary: string,
  path: string,
  expected: string | null,
): Buffer | null {
  if (expected === null || !libc.exchange(temporary, path)) {
    // Where it cannot be done in one step, what comes in between is lost.
    const before = expected === null ? null : (readChecked(path)?.bytes ?? null);
    renameSync(temporary, path);
    return before;
  }
  try {
    const before = readChecked(temporary)?.bytes ?? null;
    unlinkSync(temporary);
    return before;
  } catch (failure) {
    // It may have the only copy of a key: nobody takes it for a leftover under this name.
    const kept = `${path}.displaced-${randomBytes(4).toString('hex')}`;
    renameSync(temporary, kept);
    throw refusal(
      kept,
      'is what another program had written meanwhile, and cannot be read',
      failure,
    );
  }
}

/** What writers that were killed leave: of this file, and of copies of it (`NAME.before-…`), which have keys too. */
const leftover = /^(before-[A-Za-z0-9.-]+\.)?[0-9a-f]{16}\.tmp$/;

/** Under the lock no living writer has any. */
function removeLeftovers(path: string): void {
  const prefix = `.${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(prefix) || !leftover.test(name.slice(prefix.length))) continue;
    unlinkSync(join(dirname(path), name));
  }
}

function changed(path: string, what: string): AgentError {
  return new AgentError('conflict', `${path} ${what} by someone else meanwhile: try again`);
}
