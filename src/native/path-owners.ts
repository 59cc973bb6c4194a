import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join, parse, resolve, sep } from 'node:path';
import { errnoName } from '../base/errors.ts';

const writableByGroupOrOthers = 0o022;
const stickyBit = 0o1000;
/** As the kernel has it (path_resolution(7)). */
const mostLinks = 40;

/** What is wrong, and where; `reason` follows the path and says what to do. */
export interface PathFault {
  readonly path: string;
  readonly reason: string;
}

/**
 * Whether other users could have put that file there or could put another in its place; null where none could. The file
 * itself, every directory above it, and those of each symbolic link on the way must belong to `uid` or root, and neither
 * group nor others may write them. What a directory has is safe from others in a sticky one (/tmp) too: there nobody
 * renames or removes what is not theirs, and what is theirs is a fault. `sticky: 'fault'` is for what was opened before:
 * there others could have had the name until then, and have given it up. Throws node's own errors for what cannot be
 * looked at.
 */
export function faultOnPath(
  path: string,
  uid: number,
  { sticky = 'safe' }: { readonly sticky?: 'safe' | 'fault' } = {},
): PathFault | null {
  const trusted = trustedUids(uid);
  const visited = new Set<string>();
  let links = 0;
  const walk = (given: string): PathFault | null => {
    const { root } = parse(given);
    let at = root;
    const names = given.slice(root.length).split(sep);
    for (const [index, name] of ['', ...names].entries()) {
      at = join(at, name);
      if (visited.has(at)) continue;
      const inode = lstatSync(at);
      const fault = faultOf(inode, trusted, sticky);
      if (fault !== null) return { path: at, reason: fault(at) };
      if (inode.isSymbolicLink()) {
        links += 1;
        if (links > mostLinks) return { path, reason: 'goes through too many symbolic links' };
        return walk(resolve(dirname(at), readlinkSync(at), ...names.slice(index)));
      }
      visited.add(at);
    }
    return null;
  };
  return walk(resolve(path));
}

function faultOf(
  inode: Stats,
  trusted: ReadonlySet<number>,
  sticky: 'safe' | 'fault',
): ((path: string) => string) | null {
  const { uid, mode } = inode;
  if (!trusted.has(uid)) {
    return () =>
      `belongs to uid ${uid}, who could put something else there: chown it to root, or run as its owner`;
  }
  // The mode of a link says nothing: it is its directory that lets others replace it. A socket is written by clients.
  if (inode.isSymbolicLink() || inode.isSocket()) return null;
  if ((mode & writableByGroupOrOthers) === 0) return null;
  if (sticky === 'safe' && inode.isDirectory() && (mode & stickyBit) !== 0) return null;
  return (path) => `may be written by other users: run chmod go-w ${path}`;
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
