import koffi from 'koffi';
import type { PeerCredentials } from './peer-credentials.ts';
import { accountDatabase } from './account-database.ts';
import { datagramSender } from './datagram.ts';
import { fileStatus, type FileStatus } from './file-status.ts';
import { pendingInput, type PendingInput } from './pending-input.ts';
import { SystemCallError } from './system-call-error.ts';

/**
 * What node does not offer of the C library. All calls are synchronous.
 * A call that fails throws SystemCallError with the errno's name, unless stated otherwise.
 */
export interface Libc extends PendingInput, FileStatus {
  /** Who connected a Unix stream socket, as of its connect (unix(7), SO_PEERCRED; socket(7), SO_PEERGROUPS). */
  peerCredentials(fd: number): PeerCredentials;

  /**
   * Takes the exclusive lock of an open file or directory without waiting (flock(2)); false where another
   * open file description holds it. It ends with `unlock`, or when the last copy of the fd is closed.
   */
  tryLock(fd: number): boolean;
  unlock(fd: number): void;

  /**
   * Exchanges two files of one file system in one step (RENAME_EXCHANGE in renameat2(2)); false where the kernel or
   * the file system cannot. Both paths are absolute.
   */
  exchange(one: string, other: string): boolean;

  /**
   * Gives an open file so many bytes of the disk from `offset` on, without a change of its size (FALLOC_FL_KEEP_SIZE in
   * fallocate(2)); false where the file system cannot.
   */
  allocate(fd: number, offset: number, length: number): boolean;

  /** Login name, null where the uid has none (getpwuid_r(3)). May ask the network where NSS does. */
  userName(uid: number): string | null;
  /** Null where there is no such user (getpwnam_r(3)). */
  userId(name: string): number | null;
  /** Null where there is no such group (getgrnam_r(3)). */
  groupId(name: string): number | null;

  /**
   * Sends one datagram to a service manager (sd_notify(3)). `address` is $NOTIFY_SOCKET: an absolute path, or
   * an abstract name after '@'. Never waits: a receiver whose queue is full throws EAGAIN.
   */
  notify(address: string, message: string): void;

  /**
   * No core dump of this process and its children, and no ptrace by others of the same user
   * (PR_SET_DUMPABLE in prctl(2), RLIMIT_CORE in getrlimit(2)): memory holds keys.
   */
  refuseCoreDumps(): void;

  /** The signal that this process gets when its parent ends, 0 for none (PR_SET_PDEATHSIG in prctl(2)). */
  signalAtParentsEnd(signal: number): void;

  /** SIGALRM in so many seconds, which ends the process; 0 calls it off (alarm(2)). */
  alarm(seconds: number): void;

  /**
   * Becomes another program, in this process and with its pid (execve(2)), with stdin, stdout and stderr; other
   * files that node opened are closed on the way. Comes back only to throw.
   */
  become(
    path: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): never;
}

// <sys/socket.h>, <sys/file.h>, <fcntl.h>, <sys/prctl.h>, <sys/resource.h> of Linux on x86-64 and aarch64.
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const F_SETFD = 2;
const RLIMIT_CORE = 4;
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
const FALLOC_FL_KEEP_SIZE = 1;

/** Most processes have fewer supplementary groups. */
const usualGroups = 32;

export function openLibc(): Libc {
  // The process itself: node is linked to the C library, whatever its file is called here.
  const library = koffi.load(null);
  const flock: (fd: number, operation: number) => number = library.func(
    'int flock(int fd, int operation)',
  );
  const getsockopt: (
    fd: number,
    level: number,
    option: number,
    value: Uint32Array,
    length: Uint32Array,
  ) => number = library.func(
    'int getsockopt(int fd, int level, int option, void *value, void *length)',
  );
  const prctl: (option: number, ...rest: (string | number)[]) => number = library.func(
    'int prctl(int option, ...)',
  );
  const setrlimit: (resource: number, limit: BigUint64Array) => number = library.func(
    'int setrlimit(int resource, void *limit)',
  );

  const alarm: (seconds: number) => number = library.func(
    'unsigned int alarm(unsigned int seconds)',
  );
  const fcntl: (fd: number, command: number, type: 'int', flags: number) => number = library.func(
    'int fcntl(int fd, int command, ...)',
  );
  const renameat2: (
    fromFd: number,
    from: string,
    toFd: number,
    to: string,
    flags: number,
  ) => number = library.func(
    'int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)',
  );
  const fallocate: (fd: number, mode: number, offset: number, length: number) => number =
    library.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
  const execve: (
    path: string,
    args: readonly (string | null)[],
    environment: readonly (string | null)[],
  ) => number = library.func(
    'int execve(const char *path, const char **args, const char **environment)',
  );

  function check(syscall: string, result: number): void {
    if (result < 0) throw new SystemCallError(syscall, koffi.errno());
  }

  /** The kernel says how many there are where they do not fit. */
  function peerGroups(fd: number): readonly number[] {
    for (let room = usualGroups; ;) {
      const groups = new Uint32Array(room);
      const length = Uint32Array.of(groups.byteLength);
      const result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, length);
      const count = (length[0] ?? 0) / groups.BYTES_PER_ELEMENT;
      if (result === 0) return [...groups.subarray(0, count)];
      const errno = koffi.errno();
      if (errno !== koffi.os.errno['ERANGE'] || count <= room) {
        throw new SystemCallError('getsockopt', errno);
      }
      room = count;
    }
  }

  return {
    ...accountDatabase(library),
    ...pendingInput(library),
    ...fileStatus(library),
    notify: datagramSender(library),

    peerCredentials(fd) {
      // struct ucred: pid, uid, gid, 32 bits each.
      const credentials = new Uint32Array(3);
      const length = Uint32Array.of(credentials.byteLength);
      check('getsockopt', getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length));
      const [pid, uid, gid] = credentials;
      // A uid of -1 is what the kernel answers for a socket that has no peer.
      if (pid === undefined || uid === undefined || gid === undefined || uid === 0xffffffff) {
        throw new SystemCallError('getsockopt', koffi.os.errno['ENOTCONN'] ?? 0);
      }
      return { pid, uid, gid, groups: peerGroups(fd) };
    },

    tryLock(fd) {
      for (;;) {
        if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
        const errno = koffi.errno();
        if (errno === koffi.os.errno['EWOULDBLOCK']) return false;
        if (errno !== koffi.os.errno['EINTR']) throw new SystemCallError('flock', errno);
      }
    },

    unlock(fd) {
      check('flock', flock(fd, LOCK_UN));
    },

    exchange(one, other) {
      if (renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) === 0) return true;
      const errno = koffi.errno();
      const cannot = ['EINVAL', 'ENOSYS', 'EOPNOTSUPP'].map((name) => koffi.os.errno[name]);
      if (cannot.includes(errno)) return false;
      throw new SystemCallError('renameat2', errno);
    },

    allocate(fd, offset, length) {
      for (;;) {
        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length) === 0) return true;
        const errno = koffi.errno();
        if (errno === koffi.os.errno['EINTR']) continue;
        const cannot = ['EOPNOTSUPP', 'ENOSYS'].map((name) => koffi.os.errno[name]);
        if (cannot.includes(errno)) return false;
        throw new SystemCallError('fallocate', errno);
      }
    },

    become(path, args, environment) {
      // Node marks these three as well to be closed by an exec.
      for (const fd of [0, 1, 2]) check('fcntl', fcntl(fd, F_SETFD, 'int', 0));
      const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
      execve(path, [...args, null], [...variables, null]);
      throw new SystemCallError('execve', koffi.errno());
    },

    signalAtParentsEnd(signal) {
      const unused = ['unsigned long', 0] as const;
      check(
        'prctl',
        prctl(PR_SET_PDEATHSIG, 'unsigned long', signal, ...unused, ...unused, ...unused),
      );
    },

    alarm(seconds) {
      alarm(seconds);
    },

    refuseCoreDumps() {
      check('setrlimit', setrlimit(RLIMIT_CORE, BigUint64Array.of(0n, 0n)));
      const unused = ['unsigned long', 0] as const;
      check('prctl', prctl(PR_SET_DUMPABLE, 'unsigned long', 0, ...unused, ...unused, ...unused));
    },
  };
}
