import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoName } from '../base/errors.ts';
import type { Libc } from '../native/libc.ts';
import { fileFailure, lstatOrNull, refusal, requirePrivate } from './ownership.ts';
import { isFull } from './reserve.ts';

/** Bytes of the lock file, whatever pid is in it. */
const pidLength = 16;

/** Another agent is at work here; the agent exits with 3. */
export class AlreadyRunningError extends Error {
  override readonly name = 'AlreadyRunningError';
  /** Of the other agent, null where it could not be read. */
  readonly pid: number | null;

  constructor(message: string, pid: number | null) {
    super(message);
    this.pid = pid;
  }
}

export interface StateDirLock {
  /** Lets the next agent in. The file stays: removing it would let two agents lock two different files. */
  release(): void;
}

/**
 * Holds `<path>/lock` for this process, with its pid in it. The kernel drops the lock when the process dies,
 * however it dies. Throws AlreadyRunningError where another process holds it, AgentError where the file is not
 * acceptable. Child processes do not inherit it (node opens with O_CLOEXEC).
 */
export function lockStateDir(path: string, libc: Libc): StateDirLock {
  const file = join(path, 'lock');
  const fd = openLockFile(file);
  let held = true;
  try {
    requirePrivate(file, fstatSync(fd), '600');
    if (!libc.tryLock(fd)) throw alreadyRunning(path, readPid(fd));
    // Someone may have removed the file between open and flock: then this locks nothing that others see.
    if (lstatOrNull(file)?.ino !== fstatSync(fd).ino) {
      throw refusal(file, 'was replaced while it was being locked: start again');
    }
    writePid(fd, `${process.pid}`);
  } catch (error) {
    closeSync(fd);
    throw fileFailureOrSame(file, error);
  }
  return {
    release() {
      if (!held) return;
      held = false;
      try {
        writePid(fd, '');
      } finally {
        closeSync(fd);
      }
    },
  };
}

/**
 * Whether an agent holds the lock of this state dir, and its pid. Reads the kernel's list, and so disturbs no agent
 * that starts in this moment. That list has the locks of this machine and of this pid namespace alone. Throws
 * AgentError where the file is not acceptable.
 */
export function lockHolder(path: string): { readonly held: boolean; readonly pid: number | null } {
  const file = join(path, 'lock');
  if (!isThere(file)) return { held: false, pid: null };
  const fd = openForLooking(file);
  try {
    requirePrivate(file, fstatSync(fd), '600');
    const pid = readPid(fd);
    const held = isFlocked(fstatSync(fd, { bigint: true }), pid);
    return { held, pid: held ? pid : null };
  } finally {
    closeSync(fd);
  }
}

/**
 * proc_locks(5). Btrfs and overlayfs tell stat(2) another device than this list: there the pid in the file decides.
 */
function isFlocked({ dev, ino }: { dev: bigint; ino: bigint }, pid: number | null): boolean {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn & 0xffff_ffffn);
  for (const line of readLocks().split('\n')) {
    const match = /^\d+: FLOCK +\S+ +\S+ +(-?\d+) ([\da-f]+):([\da-f]+):(\d+) /.exec(line);
    if (match?.[4] !== ino.toString()) continue;
    const [, owner, listedMajor, listedMinor] = match;
    if (BigInt(`0x${listedMajor}`) === major && BigInt(`0x${listedMinor}`) === minor) return true;
    if (pid !== null && Number(owner) === pid) return true;
  }
  return false;
}

function readLocks(): string {
  try {
    return readFileSync('/proc/locks', 'utf8');
  } catch (error) {
    throw fileFailure('/proc/locks', 'read', error);
  }
}

/** Of a state dir that belongs to somebody else it cannot be told. */
function isThere(file: string): boolean {
  try {
    return lstatOrNull(file) !== null;
  } catch (error) {
    throw fileFailure(file, 'examine', error);
  }
}

function openForLooking(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw fileFailure(file, 'open', error);
  }
}

/** Opens a lock file, which is made where it is missing. Throws AgentError where it is not acceptable. */
export function openLockFile(file: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let fd: number;
  try {
    fd = openSync(file, flags, 0o600);
  } catch (error) {
    if (errnoName(error) === 'ELOOP') throw refusal(file, 'is a symbolic link: remove it', error);
    throw fileFailure(file, 'open', error);
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw refusal(file, 'is not a regular file: remove it');
}

/**
 * In place and always as long: a file that is cut gives its room on the disk away, and others may have filled that when
 * the next agent starts. One that has none yet goes without: the lock is the kernel's, and not what is in the file.
 */
function writePid(fd: number, pid: string): void {
  try {
    writeSync(fd, `${pid.padEnd(pidLength - 1)}\n`, 0);
  } catch (failure) {
    if (!isFull(failure)) throw failure;
  }
}

function readPid(fd: number): number | null {
  const text = Buffer.alloc(pidLength);
  const bytes = readSync(fd, text, 0, text.length, 0);
  const pid = Number.parseInt(text.toString('latin1', 0, bytes), 10);
  return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
}

function alreadyRunning(path: string, pid: number | null): AlreadyRunningError {
  const who = pid === null ? 'another process' : `process ${pid}`;
  return new AlreadyRunningError(`${who} is running an agent on ${path}: stop it first`, pid);
}

function fileFailureOrSame(file: string, error: unknown): Error {
  return error instanceof AlreadyRunningError ? error : fileFailure(file, 'lock', error);
}
