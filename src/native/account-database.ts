import koffi, { type LibraryHandle } from 'koffi';
import { SystemCallError } from './system-call-error.ts';

/** Room for a struct passwd or struct group (48 and 32 bytes on 64-bit Linux). */
const recordBytes = 64;
/** Where `gr_gid` stands in struct group: behind two pointers. */
const groupIdOffset = 16;
/** Where `pw_uid` stands in struct passwd: behind two pointers as well. */
const userIdOffset = 16;
const firstTextBytes = 4096;
/** A group with very many members is a long record; beyond this something is broken. */
const mostTextBytes = 16 * 1024 * 1024;

interface AccountDatabase {
  userName(uid: number): string | null;
  userId(name: string): number | null;
  groupId(name: string): number | null;
}

/** One of the get…_r functions: fills `record` with pointers into `text`. Answers an errno, 0 for none. */
type Lookup<Key> = (
  key: Key,
  record: Uint8Array,
  text: Buffer,
  textBytes: number,
  found: [unknown],
) => number;

/** The names of users and groups, through the C library so that NSS (LDAP, sssd) is asked as well. */
export function accountDatabase(library: LibraryHandle): AccountDatabase {
  const getpwuid: Lookup<number> = library.func(
    'int getpwuid_r(unsigned int uid, void *record, void *text, size_t bytes, _Out_ void **found)',
  );
  const getpwnam: Lookup<string> = library.func(
    'int getpwnam_r(const char *name, void *record, void *text, size_t bytes, _Out_ void **found)',
  );
  const getgrnam: Lookup<string> = library.func(
    'int getgrnam_r(const char *name, void *record, void *text, size_t bytes, _Out_ void **found)',
  );

  return {
    userName: (uid) =>
      find('getpwuid_r', getpwuid, uid, (record, text) => {
        // The name lies in `text`: reading it there never follows a pointer out of live memory.
        const start = Number(record.getBigUint64(0, littleEndian()) - koffi.address(text));
        return text.toString('utf8', start, text.indexOf(0, start));
      }),
    userId: (name) =>
      idOf(name, (text) =>
        find('getpwnam_r', getpwnam, text, (record) =>
          record.getUint32(userIdOffset, littleEndian()),
        ),
      ),
    groupId: (name) =>
      idOf(name, (text) =>
        find('getgrnam_r', getgrnam, text, (record) =>
          record.getUint32(groupIdOffset, littleEndian()),
        ),
      ),
  };
}

/** A NUL would cut the name short in C and find another account. */
function idOf(name: string, lookUp: (name: string) => number | null): number | null {
  return name.includes('\0') ? null : lookUp(name);
}

function find<Key, Result>(
  syscall: string,
  lookup: Lookup<Key>,
  key: Key,
  take: (record: DataView, text: Buffer) => Result,
): Result | null {
  for (let bytes = firstTextBytes; ; bytes *= 4) {
    const record = new Uint8Array(recordBytes);
    const text = Buffer.alloc(bytes);
    const found: [unknown] = [null];
    const errno = lookup(key, record, text, bytes, found);
    if (errno === 0) return found[0] === null ? null : take(new DataView(record.buffer), text);
    const { ERANGE, ENOENT, ESRCH, EBADF, EPERM } = koffi.os.errno;
    // "Not found" as some NSS modules say it (getpwnam(3), ERRORS).
    if ([ENOENT, ESRCH, EBADF, EPERM].includes(errno)) return null;
    if (errno !== ERANGE || bytes >= mostTextBytes) throw new SystemCallError(syscall, errno);
  }
}

function littleEndian(): boolean {
  return new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
}
