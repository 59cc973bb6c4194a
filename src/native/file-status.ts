import type { LibraryHandle } from 'koffi';

/** What tells one version of a file from another, without an object for it. */
export interface FileStatus {
  /**
   * Writes what statx(2) says of a path, symbolic links not followed, into `status`, which has 64 words; `path` ends with a
   * NUL. False where nothing was learned: there is no such file, or the call failed, or there is no such call here.
   */
  readStatus(path: Uint8Array, status: Uint32Array): boolean;
}

// <linux/stat.h> and <fcntl.h>, the same on all processors.
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;

/** Words of a `struct statx`: inode, size, ctime, mtime, device. */
const telling = [8, 9, 10, 11, 24, 25, 26, 28, 29, 30, 34, 35] as const;

export function fileStatus(library: LibraryHandle): FileStatus {
  let statx: (
    dir: number,
    path: Uint8Array,
    flags: number,
    mask: number,
    status: Uint32Array,
  ) => number;
  try {
    statx = library.func(
      'int statx(int dir, void *path, int flags, unsigned int mask, void *status)',
    );
  } catch {
    return { readStatus: () => false }; // a C library that is older than 2019
  }
  return {
    readStatus: (path, status) =>
      statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, status) === 0,
  };
}

/** Whether both are of one version of one file. */
export function isSameStatus(one: Uint32Array, other: Uint32Array): boolean {
  for (const at of telling) if (one[at] !== other[at]) return false;
  return true;
}
