import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join, parse, resolve, sep } from 'node:path';
import { errnoName } from '../base/errors.ts';
import { effectiveUid, fileFailure, refusal } from './ownership.ts';

const writableByGroupOrOthers = 0o022;
const stickyBit = 0o1000;
/** As the kernel has it (path_resolution(7)). */
const mostLinks = 40;

/**
 * Refuses what other users could have put there or could put another in place of: the file itself, every directory above
 * it, and those of each symbolic link on the way belong to this user or root, and neither group nor others may write
 * them. What a directory has is safe from others in a sticky one (/tmp) too: there nobody renames or removes what is not
 * theirs, and what is theirs is refused. `uid`: this user. Throws AgentError naming what is wrong and the remedy.
 */
export function requireTrustedPath(path: string, uid = effectiveUid()): void {
  const trusted = trustedUids(uid);
  const visited = new Set<string>();
  let links = 0;
  const walk = (given: string): void => {
    const { root } = parse(given);
    let at = root;
    requireOwn(at, lstat(at), trusted);
    const names = given.slice(root.length).split(sep);
    for (const [index, name] of names.entries()) {
      at = join(at, name);
      if (visited.has(at)) continue;
      const inode = lstat(at);
      requireOwn(at, inode, trusted);
      if (inode.isSymbolicLink()) {
        links += 1;
        if (links > mostLinks) throw refusal(path, 'goes through too many symbolic links');
        const rest = names.slice(index + 1);
        walk(resolve(dirname(at), readlinkSync(at), ...rest));
        return;
      }
      visited.add(at);
    }
  };
  walk(resolve(path));
}

/** As `requireTrustedPath`, of the directories above it alone: what is there is for others to look at. */
export function requireTrustedParents(path: string): void {
  requireTrustedPath(dirname(resolve(path)));
}

function lstat(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (failure) {
    throw fileFailure(path, 'examine', failure);
  }
}

function requireOwn(path: string, inode: Stats, trusted: ReadonlySet<number>): void {
  const { uid, mode } = inode;
  if (!trusted.has(uid)) {
    throw refusal(
      path,
      `belongs to uid ${uid}, who could put something else there: chown it to root, or run as its owner`,
    );
  }
  // The mode of a link says nothing: it is its directory that lets others replace it.
  if (inode.isSymbolicLink() || (mode & writableByGroupOrOthers) === 0) return;
  if (inode.isDirectory() && (mode & stickyBit) !== 0) return;
  throw refusal(path, `may be written by other users: run chmod go-w ${path}`);
}

/**
 * This user and root; where only some users of the machine are known (user_namespaces(7)), also the one that stands for
 * all others: there root itself is one of them.
 */
function trustedUids(uid: number): ReadonlySet<number> {
  const trusted = new Set([0, uid]);
  try {
    const mapped = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).map(Number);
    const isWhole = mapped.length === 3 && mapped[1] === 0 && mapped[2] === 0xffffffff;
    if (!isWhole) trusted.add(Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8')));
  } catch (failure) {
    // Without /proc nothing is known of any namespace.
    if (errnoName(failure) === null) throw failure;
  }
  return trusted;
}
