import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';

/**
 * What tells versions of a file apart, as a string to compare.
 *
 * Kernel timestamps are coarse (a tick, 1 to 10 ms): two edits in place of equal size within one tick leave
 * the same inode, size and times. So the identity of content that was read while its file was that young
 * carries a hash of the content: it never equals what `identify` says, so that the file is read again until
 * it has aged (git calls such entries "racily clean"), and `replace` compares content instead of times.
 */

/** Longer than any kernel tick. */
const youngMs = 20;
/** For file systems that keep whole seconds, two at most (FAT, old NFS). */
const youngOnCoarseMs = 2000;
const separator = '~';

/** By what lstat says alone. */
export function plainIdentity({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

/** Of `bytes`, read when the file had this inode; `startedAt` is from before the reading, ms since the epoch. */
export function identityOf(inode: BigIntStats, bytes: Uint8Array, startedAt: number): string {
  const plain = plainIdentity(inode);
  const limit = inode.ctimeNs % 1_000_000_000n === 0n ? youngOnCoarseMs : youngMs;
  // Absolute: a clock that was set back must not make the file young for as long as it is behind.
  const young = Math.abs(startedAt - Number(inode.ctimeNs / 1_000_000n)) < limit;
  return young ? youngIdentity(inode, bytes) : plain;
}

/** Of `bytes` that were just written: someone may have edited the file between the writing and the lstat. */
export function youngIdentity(inode: BigIntStats, bytes: Uint8Array): string {
  return plainIdentity(inode) + separator + contentHash(bytes);
}

/** Splits off the hash; null where the file had aged when its identity was taken. */
export function splitIdentity(identity: string): { plain: string; hash: string | null } {
  const [plain = identity, hash = null] = identity.split(separator);
  return { plain, hash };
}

export function contentHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
