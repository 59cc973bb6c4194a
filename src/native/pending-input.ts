import koffi, { type LibraryHandle } from 'koffi';
import { SystemCallError } from './system-call-error.ts';

/** What the kernel holds for this process and node has not asked for yet. */
export interface PendingInput {
  /** Bytes that a connected socket has received and nobody has read (FIONREAD in unix(7)). */
  unreadBytes(fd: number): number;
  /** Whether a connection waits to be accepted on a listening socket (poll(2)). */
  hasConnectionWaiting(fd: number): boolean;
  /** Whether nobody is at the other end of a connected socket any more, to send or to receive (poll(2)). */
  hasHungUp(fd: number): boolean;
}

// <asm-generic/ioctls.h>, <poll.h> of Linux on x86-64 and aarch64.
const FIONREAD = 0x541b;
const POLLIN = 1;
const POLLHUP = 16;

export function pendingInput(library: LibraryHandle): PendingInput {
  const ioctl: (fd: number, request: number, type: 'void *', value: Int32Array) => number =
    library.func('int ioctl(int fd, unsigned long request, ...)');
  const poll: (fds: Int32Array, count: number, timeout: number) => number = library.func(
    'int poll(void *fds, unsigned long count, int timeout)',
  );

  function polled(fd: number, events: number): number {
    // struct pollfd: fd, then what is asked and what came of it, 16 bits each.
    const asked = Int32Array.of(fd, events);
    const came = poll(asked, 1, 0);
    if (came < 0 && koffi.errno() !== koffi.os.errno['EINTR']) {
      throw new SystemCallError('poll', koffi.errno());
    }
    return came > 0 ? (asked[1] ?? 0) >>> 16 : 0;
  }

  return {
    unreadBytes(fd) {
      const bytes = new Int32Array(1);
      if (ioctl(fd, FIONREAD, 'void *', bytes) < 0) {
        throw new SystemCallError('ioctl', koffi.errno());
      }
      return bytes[0] ?? 0;
    },

    hasConnectionWaiting: (fd) => (polled(fd, POLLIN) & POLLIN) !== 0,
    hasHungUp: (fd) => (polled(fd, 0) & POLLHUP) !== 0,
  };
}
