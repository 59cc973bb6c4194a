import { readdirSync } from 'node:fs';
import koffi from 'koffi';

// <fcntl.h> of Linux.
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** stdin, stdout and stderr. */
const standard = 3;

/**
 * From now on no file that this process has open is one of its children's, but for what `spawn` gives them: node closes
 * its own, and not all that it was started with itself, such as a pipe with a PIN in it.
 */
export function keepFilesFromChildren(): void {
  const fcntl: (fd: number, command: number, type: 'int', flags: number) => number = koffi
    .load(null)
    .func('int fcntl(int fd, int command, ...)');
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    // The one of the listing itself is closed by now, which is no failure.
    if (fd >= standard) fcntl(fd, F_SETFD, 'int', FD_CLOEXEC);
  }
}
