import { accessSync, constants, readdirSync, statfsSync, type StatsFs } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoName } from '../../../base/errors.ts';
import { lstatOrNull, refusal, requirePrivate } from '../../../files/ownership.ts';
import { requireTrustedParents } from '../../../files/trusted-path.ts';
import { failure, failureOf, inspected, ok, warning, type Finding } from '../../../base/finding.ts';

const mebibyte = 1024 * 1024;

/** The state dir, its folder of keyrings, and the files that the agent has in both. */
export function checkStateDir(stateDir: string, uid: number): readonly Finding[] {
  const keyrings = join(stateDir, 'keyrings');
  const findings = [directory('state dir', stateDir, uid), directory('keyrings', keyrings, uid)];
  if (findings.some(({ state }) => state === 'failure')) return findings;
  try {
    const own = ['lock', 'agent.db', 'agent.db-wal', 'agent.db-shm'];
    const files = [...own.map((name) => join(stateDir, name)), ...filesIn(keyrings)];
    return [...findings, ...files.flatMap((path) => fileFault(path))];
  } catch (thrown) {
    return [...findings, failureOf('state files', thrown)];
  }
}

function directory(subject: string, path: string, uid: number): Finding {
  return inspected(subject, () => {
    const inode = lstatOrNull(path);
    if (inode === null) {
      const fault = writeFault(subject, nearestDirectory(path), uid);
      return fault ?? warning(subject, `${path} is not there: the agent makes it when it starts`);
    }
    if (inode.isSymbolicLink()) {
      throw refusal(path, 'is a symbolic link: give the directory itself');
    }
    if (!inode.isDirectory()) throw refusal(path, 'is not a directory');
    requirePrivate(path, inode, '700');
    requireTrustedParents(path);
    const fault = writeFault(subject, path, uid);
    return fault ?? ok(subject, `${path} is open to this user alone, and can be written`);
  });
}

function nearestDirectory(path: string): string {
  const parent = dirname(path);
  return parent === path || lstatOrNull(parent) !== null ? parent : nearestDirectory(parent);
}

/** Why nothing can be written there, or soon not; null where it can. */
function writeFault(subject: string, path: string, uid: number): Finding | null {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (thrown) {
    return notWritable(subject, path, thrown);
  }
  return roomFault(subject, path, statfsSync(path), uid);
}

export function notWritable(subject: string, path: string, thrown: unknown): Finding {
  const errno = errnoName(thrown);
  if (errno === 'EROFS') {
    return failure(
      subject,
      `${path} is on a read-only file system: mount it for writing (systemd: ReadWritePaths=${path})`,
    );
  }
  if (errno !== 'EACCES' && errno !== 'EPERM') return failureOf(subject, thrown);
  return failure(
    subject,
    `${path} cannot be written by this user: run doctor as the agent's user; where this is it: chmod u+rwx ${path}, ` +
      'or another --state-dir',
  );
}

/** What root alone may use counts for root. A file system without a number of inodes says 0 of 0. */
export function roomFault(
  subject: string,
  path: string,
  room: Pick<StatsFs, 'bsize' | 'bavail' | 'bfree' | 'files' | 'ffree'>,
  uid: number,
): Finding | null {
  const free = (uid === 0 ? room.bfree : room.bavail) * room.bsize;
  const text = `${path} is on a file system with ${Math.floor(free / 1024)} KiB free`;
  if (free < mebibyte) {
    return failure(subject, `${text}: no key can be made or rotated. Make room there`);
  }
  if (room.files > 0 && room.ffree === 0) {
    return failure(subject, `${path} is on a file system without a free inode: remove files there`);
  }
  return free < 16 * mebibyte ? warning(subject, `${text}: make room there soon`) : null;
}

/** Files that are well are not worth a line each. */
function fileFault(path: string): readonly Finding[] {
  const finding = inspected('state files', () => {
    const inode = lstatOrNull(path);
    if (inode === null) return ok('state files', '');
    // Some keyrings have a folder of their own, which their kind looks into.
    if (!inode.isFile() && !inode.isDirectory()) throw refusal(path, 'is not a regular file');
    requirePrivate(path, inode, inode.isFile() ? '600' : '700');
    return ok('state files', '');
  });
  return finding.state === 'ok' ? [] : [finding];
}

function filesIn(path: string): readonly string[] {
  try {
    return readdirSync(path).map((name) => join(path, name));
  } catch (thrown) {
    if (errnoName(thrown) === 'ENOENT') return [];
    throw thrown;
  }
}
