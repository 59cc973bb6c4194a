import { fingerprint } from '../../../formats/ssh/public-key.ts';
import { isRevoked } from '../../../formats/ssh/revoked-keys.ts';
import { SshFormatError } from '../../../formats/ssh/wire.ts';
import { UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** Lists of hundreds of thousands of keys. */
const maxRevokedBytes = 64 * 1024 * 1024;

/** Why a signature by this key is not valid; null where the file of `--revoked` does not have it, or none was given. */
export async function revocationOf(
  blob: Buffer,
  path: string | undefined,
  terminal: Terminal,
): Promise<string | null> {
  if (path === undefined) return null;
  const file = await readInput(path, terminal, maxRevokedBytes);
  try {
    return isRevoked(file, blob) ? `${path}: key ${fingerprint(blob)} is revoked` : null;
  } catch (error) {
    if (!(error instanceof SshFormatError)) throw error;
    throw new UsageError(
      `${path}: neither a key revocation list nor public keys, one a line: ${error.message}`,
      { cause: error },
    );
  }
}
