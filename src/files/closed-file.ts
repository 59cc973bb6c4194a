import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { AgentError, errnoName } from '../base/errors.ts';

/**
 * Reads a file with a secret, which somebody else has put there: regular, of this user or root, and closed to
 * everyone else. Symbolic links are followed, since secret stores publish through them; the checks are made on what
 * was opened. Of a longer file, one byte more than `most`. The caller owns the Buffer and wipes it. `what` is how
 * messages call it, such as `PIN file`.
 *
 * Null where there is no such file. Throws `backend_unavailable`, naming file and remedy.
 */
export function readClosedFile(path: string, what: string, most: number): Buffer | null {
  const name = `${what} ${path}`;
  const descriptor = open(path, name);
  if (descriptor === null) return null;
  // Never from the shared pool: what is left of it is wiped with the Buffer that is handed out.
  const bytes = Buffer.alloc(most + 1);
  try {
    checkOwnership(name, fstatSync(descriptor));
    return bytes.subarray(0, readWhole(descriptor, bytes));
  } catch (thrown) {
    bytes.fill(0);
    if (thrown instanceof AgentError) throw thrown;
    return refuse(name, `cannot be read (${errnoName(thrown) ?? 'error'})`, thrown);
  } finally {
    closeSync(descriptor);
  }
}

function open(path: string, name: string): number | null {
  try {
    // Not blocking: a FIFO of that name would otherwise hold the whole process until someone writes.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (thrown) {
    const errno = errnoName(thrown);
    if (errno === 'ENOENT') return null;
    return refuse(name, `cannot be opened (${errno ?? 'error'})`, thrown);
  }
}

function readWhole(descriptor: number, into: Buffer): number {
  let length = 0;
  while (length < into.length) {
    const count = readSync(descriptor, into, length, into.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return length;
}

function checkOwnership(name: string, file: Stats): void {
  if (!file.isFile()) refuse(name, 'is not a regular file');
  const self = process.geteuid?.();
  if (file.uid !== 0 && file.uid !== self) {
    refuse(name, `belongs to uid ${file.uid}; it must belong to this user or root`);
  }
  // systemd gives a credential to a service's user by an ACL on a file of root:root, and the ACL's mask shows
  // as the group's read bit. The group root reads no more than root does.
  const permitted = file.uid === 0 && file.gid === 0 ? 0o740 : 0o700;
  if ((file.mode & 0o777 & ~permitted) !== 0) {
    const mode = (file.mode & 0o777).toString(8).padStart(4, '0');
    refuse(name, `has mode ${mode}, so others can reach it; chmod 0600 it`);
  }
}

function refuse(name: string, problem: string, cause?: unknown): never {
  throw new AgentError('backend_unavailable', `${name} ${problem}`, { cause });
}
