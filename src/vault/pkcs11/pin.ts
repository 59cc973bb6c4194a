import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { AgentError, errnoName } from '../../errors.ts';
import { faultOfPin, maxPinLength, withoutNewline } from '../pin-form.ts';

/**
 * The PIN of a keyring: from the URI's `pin-source` file, else from the systemd credential
 * `<credentialsDirectory>/<keyring>.pin`, else null, and the keyring waits for `unlock`.
 * One trailing newline is not part of the PIN. The caller owns the Buffer and wipes it.
 *
 * Throws `backend_unavailable`, naming file and remedy, where a file that was named is not there or is not safe:
 * it must be regular, owned by this user or root, and closed to everyone else. Symbolic links are followed,
 * since secret stores publish through them; the checks are made on what was opened.
 */
export function readPin(options: {
  readonly pinSource: string | null;
  readonly keyring: string;
  /** systemd's `$CREDENTIALS_DIRECTORY`, or null. */
  readonly credentialsDirectory: string | null;
}): Buffer | null {
  if (options.pinSource !== null) {
    return readPinFile(options.pinSource) ?? refuse(options.pinSource, 'does not exist');
  }
  if (options.credentialsDirectory === null) return null;
  return readPinFile(join(options.credentialsDirectory, `${options.keyring}.pin`));
}

/** As `readPin`, of one file; null where there is no such file. */
export function readPinFile(path: string): Buffer | null {
  const descriptor = openPinFile(path);
  if (descriptor === null) return null;
  // Never from the shared pool: what is left of it is wiped with the Buffer that is handed out.
  const bytes = Buffer.alloc(maxPinLength + 2); // the newline, and one more: a longer file is noticed
  try {
    checkOwnership(path, fstatSync(descriptor));
    const pin = withoutNewline(bytes.subarray(0, readWhole(descriptor, bytes)));
    const fault = faultOfPin(pin);
    if (fault !== null) refuse(path, fault);
    return pin;
  } catch (thrown) {
    bytes.fill(0);
    if (thrown instanceof AgentError) throw thrown;
    return refuse(path, `cannot be read (${errnoName(thrown) ?? 'error'})`, thrown);
  } finally {
    closeSync(descriptor);
  }
}

function openPinFile(path: string): number | null {
  try {
    // Not blocking: a FIFO of that name would otherwise hold the whole process until someone writes.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (thrown) {
    const errno = errnoName(thrown);
    if (errno === 'ENOENT') return null;
    return refuse(path, `cannot be opened (${errno ?? 'error'})`, thrown);
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

function checkOwnership(path: string, file: Stats): void {
  if (!file.isFile()) refuse(path, 'is not a regular file');
  const self = process.geteuid?.();
  if (file.uid !== 0 && file.uid !== self) {
    refuse(path, `belongs to uid ${file.uid}; it must belong to this user or root`);
  }
  // systemd gives a credential to a service's user by an ACL on a file of root:root, and the ACL's mask shows
  // as the group's read bit. The group root reads no more than root does.
  const permitted = file.uid === 0 && file.gid === 0 ? 0o740 : 0o700;
  if ((file.mode & 0o777 & ~permitted) !== 0) {
    const mode = (file.mode & 0o777).toString(8).padStart(4, '0');
    refuse(path, `has mode ${mode}, so others can reach it; chmod 0600 it`);
  }
}

function refuse(path: string, problem: string, cause?: unknown): never {
  throw new AgentError('backend_unavailable', `PIN file ${path} ${problem}`, { cause });
}
