import { join } from 'node:path';
import type { Restored } from '../../../api/backup.ts';
import type { Settings } from '../../../config/settings.ts';
import { configuredKeystore } from '../../../agent/configured-keystore.ts';
import type { Libc } from '../../../native/libc.ts';
import { ensurePrivateDir } from '../../../files/checked-dir.ts';
import { AlreadyRunningError, lockStateDir } from '../../../files/state-dir-lock.ts';
import { CommandError } from '../../shell/failure.ts';
import { offlineWorld } from '../../offline/offline-world.ts';
import type { Terminal } from '../../shell/terminal.ts';

export interface OfflineRestore {
  readonly settings: Settings;
  readonly keyring: string;
  readonly replace: boolean;
  readonly libc: Libc;
  readonly terminal: Terminal;
}

/**
 * Puts a keystore back without an agent, and keeps agents away meanwhile. Rejects as `KeyringBackup.restore` does;
 * with CommandError where an agent has the state dir, though none answered.
 */
export async function restoreOffline(
  keystore: Buffer,
  { settings, keyring, replace, libc, terminal }: OfflineRestore,
): Promise<Restored> {
  const { stateDir, keyrings, socket } = settings;
  const copies = await configuredKeystore(keyrings, keyring, offlineWorld(terminal, libc));
  ensurePrivateDir(stateDir);
  ensurePrivateDir(join(stateDir, 'keyrings'));
  const lock = locked(stateDir, socket.path, libc);
  try {
    return await copies.restore(keystore, { replace });
  } finally {
    lock.release();
  }
}

function locked(stateDir: string, socket: string, libc: Libc): { release(): void } {
  try {
    return lockStateDir(stateDir, libc);
  } catch (failure) {
    if (!(failure instanceof AlreadyRunningError)) throw failure;
    throw new CommandError(
      `an agent has ${stateDir}, and none answers at the socket that was tried: name its socket with --socket ` +
        `(${socket} by this configuration), or stop it`,
      { cause: failure },
    );
  }
}
