import { join } from 'node:path';
import { AgentError } from '../../base/errors.ts';
import { readClosedFile } from '../../files/closed-file.ts';
import { maxPinFileLength, pinIn } from './pin-form.ts';

/**
 * The PIN of a keyring: from the URI's `pin-source` file, else from the systemd credential
 * `<credentialsDirectory>/<keyring>.pin`, else null, and the keyring waits for `unlock`.
 * What is no part of the PIN, as `secretIn` has it, is left out or refused. The caller owns the Buffer and wipes it.
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
  const bytes = readClosedFile(path, 'PIN file', maxPinFileLength);
  if (bytes === null) return null;
  const read = pinIn(bytes);
  if ('secret' in read) return read.secret;
  bytes.fill(0);
  return refuse(path, read.fault);
}

function refuse(path: string, problem: string): never {
  throw new AgentError('backend_unavailable', `PIN file ${path} ${problem}`);
}
