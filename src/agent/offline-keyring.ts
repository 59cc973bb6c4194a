import { join } from 'node:path';
import type { KeyringSettings, Settings } from '../config/settings.ts';
import {
  tokenKeyrings,
  type TokenKeyringParts,
  type TokenKeyringSettings,
} from './configured-keyring.ts';
import { AgentError, quoted } from '../base/errors.ts';
import { keyringPin } from '../vault/pins/keyring-pin.ts';
import type { Libc } from '../native/libc.ts';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { lockStateDir } from '../files/state-dir-lock.ts';
import { lstatOrNull } from '../files/ownership.ts';
import { ModuleHosts, type HostLaunch } from '../vault/host/module-hosts.ts';
import type { World } from '../base/world.ts';

export interface OfflineOptions {
  readonly settings: Settings;
  readonly keyring: string;
  /** Where nothing is to be written, directories that are missing are not made. */
  readonly writes: boolean;
  readonly world: World;
  readonly libc: Libc;
  /** How the child process that loads the PKCS#11 module is started. */
  readonly hosts: HostLaunch;
  /** For systemd credentials. */
  readonly credentialsDir: string | null;
}

/**
 * Runs `work` on a token's keyring as it is, and keeps agents away from it meanwhile. Throws AlreadyRunningError
 * where one runs, `not_found` and `not_supported` for a keyring that is not configured or has no token.
 */
export async function withOfflineKeyring<T>(
  options: OfflineOptions,
  work: (parts: TokenKeyringParts) => Promise<T>,
): Promise<T> {
  const { settings, writes, world, libc, credentialsDir } = options;
  const keyring = tokenKeyring(settings, options.keyring);
  // The lock lies in the state dir: where there is none, no agent runs on it.
  const locked = writes || lstatOrNull(settings.stateDir) !== null;
  if (locked) ensurePrivateDir(settings.stateDir);
  const lock = locked ? lockStateDir(settings.stateDir, libc) : null;
  try {
    if (writes) ensurePrivateDir(join(settings.stateDir, 'keyrings'));
    // The agent's memory of refused PINs holds here too.
    const pins = keyringPin(keyring, credentialsDir, world);
    const parts = await tokenKeyrings(world, new ModuleHosts(options.hosts))(keyring, pins);
    try {
      return await work(parts);
    } finally {
      await parts.vault.close();
    }
  } finally {
    lock?.release();
  }
}

function tokenKeyring({ keyrings }: Settings, name: string): TokenKeyringSettings {
  const found = keyrings.find((keyring) => keyring.name === name);
  if (found === undefined) {
    const names = keyrings.map((keyring: KeyringSettings) => keyring.name).join(', ');
    throw new AgentError(
      'not_found',
      `the configuration has no keyring ${quoted(name)}; it has: ${names}`,
    );
  }
  if (found.backend !== 'file') return found;
  throw new AgentError(
    'not_supported',
    `keyring ${name} is a file keyring, so there is nothing to reconcile: ${found.path} holds its keys and ` +
      'their records in one. (For a keyring in a token, give the --config that the agent is started with.)',
  );
}
