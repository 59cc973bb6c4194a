import { readdirSync } from 'node:fs';
import koffi from 'koffi';
import { errnoName } from '../base/errors.ts';

// <fcntl.h> and <linux/close_range.h>
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const CLOSE_RANGE_CLOEXEC = 4;
const mostDescriptors = 0xffff_ffff;
/** stdin, stdout and stderr. */
const standard = 3;

type Library = ReturnType<typeof koffi.load>;

/**
 * From now on no file that this process has open is one of its children's, but for what `spawn` gives them: node closes
 * its own, and not all that it was started with itself, such as a pipe with a PIN in it.
 */
export function keepFilesFromChildren(): void {
  const libc = koffi.load(null);
  if (!markAll(libc)) markListed(libc);
}

/** close_range(2), which takes no descriptor: there may be none left. False: an older kernel or libc has none. */
function markAll(libc: Library): boolean {
  try {
    const closeRange: (first: number, last: number, flags: number) => number = libc.func(
      'int close_range(unsigned int first, unsigned int last, int flags)',
    );
    return closeRange(standard, mostDescriptors, CLOSE_RANGE_CLOEXEC) === 0;
  } catch {
    return false;
  }
}

function markListed(libc: Library): void {
  const fcntl: (fd: number, command: number, type: 'int', flags: number) => number = libc.func(
    'int fcntl(int fd, int command, ...)',
  );
  for (const name of listed()) {
    const fd = Number(name);
    // The one of the listing itself is closed by now, which is no failure.
    if (fd >= standard) fcntl(fd, F_SETFD, 'int', FD_CLOEXEC);
  }
}

/** None where there is no descriptor left to list them with: then there is none for the pipes of a child either. */
function listed(): readonly string[] {
  try {
    return readdirSync('/proc/self/fd');
  } catch (failure) {
    if (['EMFILE', 'ENFILE'].includes(errnoName(failure) ?? '')) return [];
    throw failure;
  }
}
