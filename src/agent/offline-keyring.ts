import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import type { KeyringSettings } from '../config/keyring-settings.ts';
import { openConfigured } from './configured-keyring.ts';
import { configuredPin } from './configured-pin.ts';
import { configuredStore } from './configured-store.ts';
import { AgentError, quoted } from '../base/errors.ts';
import type { RecordStore } from '../keyring/record-store.ts';
import type { Vault } from '../vault/vault.ts';
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

/** A vault with one keyring's keys, and the store of their records; whether they fit is not known. */
export interface OfflineKeyring {
  readonly vault: Vault;
  readonly store: RecordStore;
}

/**
 * Runs `work` on a keyring as it is, and keeps agents away meanwhile. Throws AlreadyRunningError where one runs,
 * `not_found` and `not_supported` for a keyring that is not configured or keeps its records with its keys.
 */
export async function withOfflineKeyring<T>(
  options: OfflineOptions,
  work: (parts: OfflineKeyring) => Promise<T>,
): Promise<T> {
  const { settings, writes, world, libc, credentialsDir } = options;
  const keyring = configured(settings, options.keyring);
  const store = configuredStore(keyring, world.files);
  // The lock lies in the state dir: where there is none, no agent runs on it.
  const locked = writes || lstatOrNull(settings.stateDir) !== null;
  if (locked) ensurePrivateDir(settings.stateDir);
  const lock = locked ? lockStateDir(settings.stateDir, libc) : null;
  try {
    if (writes) ensurePrivateDir(join(settings.stateDir, 'keyrings'));
    // The agent's memory of refused PINs holds here too.
    const pins = configuredPin(keyring, credentialsDir, world);
    const hosts = new ModuleHosts(options.hosts);
    const { vault } = await openConfigured(keyring, { world, hosts, pins });
    try {
      return await work({ vault, store });
    } finally {
      await vault.close();
    }
  } finally {
    lock?.release();
  }
}

function configured({ keyrings }: Settings, name: string): KeyringSettings {
  const found = keyrings.find((keyring) => keyring.name === name);
  if (found === undefined) {
    const names = keyrings.map((keyring: KeyringSettings) => keyring.name).join(', ');
    throw new AgentError(
      'not_found',
      `the configuration has no keyring ${quoted(name)}; it has: ${names}`,
    );
  }
  return found;
}
