import type { Stats } from 'node:fs';
import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AgentError, describeFailure, errnoName } from '../base/errors.ts';

/**
 * Who may have touched what the agent trusts: owner and mode rules for its files and directories.
 * Root counts as trusted for everyone; for root itself, only root's own things are.
 */

type Inode = Pick<Stats, 'uid' | 'mode'>;

const groupAndOthers = 0o077;
const writableByGroupOrOthers = 0o022;
const stickyBit = 0o1000;

/** Refuses what another user owns, or what group or others may read, write or enter. */
export function requirePrivate(path: string, inode: Inode, properMode: '600' | '700'): void {
  requireTrustedOwner(path, inode);
  if ((inode.mode & groupAndOthers) !== 0) {
    const mode = (inode.mode & 0o7777).toString(8).padStart(4, '0');
    throw refusal(path, `has mode ${mode}: run chmod ${properMode} ${path}`);
  }
}

/**
 * Refuses a path whose directory lets other users swap the file under the name. A sticky directory (/tmp) is
 * accepted: there nobody can rename or remove files of other users.
 */
export function requireTrustedParent(path: string): void {
  const directory = dirname(path);
  const inode = statSync(directory, { throwIfNoEntry: false });
  if (inode === undefined) throw refusal(directory, 'does not exist: create it with mode 0700');
  requireTrustedOwner(directory, inode);
  if ((inode.mode & writableByGroupOrOthers) !== 0 && (inode.mode & stickyBit) === 0) {
    throw refusal(
      directory,
      `may be written by other users, who could replace ${path}: run chmod go-w ${directory}`,
    );
  }
}

/** lstat(2) that answers null where there is nothing, a dangling symbolic link included as itself. */
export function lstatOrNull(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

/** The path is not acceptable; `reason` follows its name and says what to do. */
export function refusal(path: string, reason: string, cause?: unknown): AgentError {
  return new AgentError('backend_unavailable', `${path} ${reason}`, { cause });
}

/** A system call on `path` failed: names both and the errno. What is an AgentError already stays as it is. */
export function fileFailure(path: string, doing: string, cause: unknown): AgentError {
  if (cause instanceof AgentError) return cause;
  const errno = errnoName(cause) ?? describeFailure(cause);
  return new AgentError('backend_unavailable', `cannot ${doing} ${path}: ${errno}`, { cause });
}

function requireTrustedOwner(path: string, { uid }: Inode): void {
  const self = effectiveUid();
  if (uid === self || uid === 0) return;
  throw refusal(path, `belongs to uid ${uid}, not to uid ${self}: run as its owner, or chown it`);
}

/** Of this process; Linux always has one. */
export function effectiveUid(): number {
  const uid = process.geteuid?.();
  if (uid === undefined) throw new Error('this platform has no user ids');
  return uid;
}
