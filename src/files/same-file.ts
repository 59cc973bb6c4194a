import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoName } from '../base/errors.ts';

/** Whether both paths are the same file, also through a directory that is a link, or as a hard link. */
export function isSameFile(a: string, b: string): boolean {
  if (realPath(a) === realPath(b)) return true;
  const inode = inodeOf(a);
  return inode !== null && inode === inodeOf(b);
}

/** Of a file that is not there yet, by its directory. */
function realPath(path: string): string {
  return unlessMissing(() => realpathSync(path)) ?? join(realDirectory(path), basename(path));
}

function realDirectory(path: string): string {
  return unlessMissing(() => realpathSync(dirname(path))) ?? dirname(path);
}

function inodeOf(path: string): string | null {
  const inode = unlessMissing(() => statSync(path, { bigint: true }));
  return inode === null ? null : `${inode.dev}:${inode.ino}`;
}

/** What cannot be looked at is for whoever opens it to refuse. */
function unlessMissing<T>(look: () => T): T | null {
  try {
    return look();
  } catch (failure) {
    if (errnoName(failure) === null) throw failure;
    return null;
  }
}
