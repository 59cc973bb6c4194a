import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import type { KeyringSettings } from '../config/keyring-settings.ts';
import { openConfigured } from './configured-keyring.ts';
import { configuredPin } from './configured-pin.ts';
import { configuredStore } from './configured-store.ts';
import type { RecordStore } from '../keyring/record-store.ts';
import type { ExpectedRecords, RecordsLedger } from '../keyring/watch/records-ledger.ts';
import { readManifest } from '../files/manifest/manifest-file.ts';
import { withOfflineState } from './offline-state.ts';
import type { Vault } from '../vault/vault.ts';
import type { Libc } from '../native/libc.ts';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { lockStateDir } from '../files/state-dir-lock.ts';
import { lstatOrNull } from '../files/ownership.ts';
import { ModuleHosts, type HostLaunch } from '../vault/host/module-hosts.ts';
import type { World } from '../base/world.ts';
import { namedKeyring } from './named-keyring.ts';

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
  /** What is known of them from outside that store. */
  readonly ledger: RecordsLedger;
}

/**
 * Runs `work` on a keyring as it is, and keeps agents away meanwhile. Throws AlreadyRunningError where one runs,
 * `not_found` and `not_supported` for a keyring that is not configured or keeps its records with its keys.
 */
export async function withOfflineKeyring<T>(
  options: OfflineOptions,
  work: (parts: OfflineKeyring) => Promise<T>,
): Promise<T> {
  const { settings, writes, world, libc } = options;
  const { stateDir } = settings;
  const keyring = namedKeyring(settings.keyrings, options.keyring);
  const store = configuredStore(keyring, world.files);
  if (writes) {
    return withOfflineState({ stateDir, world, libc }, (manifest) => {
      ensurePrivateDir(join(stateDir, 'keyrings'));
      return withVault(keyring, options, { store, ledger: manifest.keyring(keyring.name) }, work);
    });
  }
  // The lock lies in the state dir: where there is none, no agent runs on it.
  const lock = lstatOrNull(stateDir) === null ? null : lockStateDir(stateDir, libc);
  try {
    const { manifest } = readManifest(stateDir, world.files);
    const ledger = readOnly(manifest?.keyrings.get(keyring.name) ?? null);
    return await withVault(keyring, options, { store, ledger }, work);
  } finally {
    lock?.release();
  }
}

async function withVault<T>(
  keyring: KeyringSettings,
  { world, hosts, credentialsDir }: OfflineOptions,
  records: Omit<OfflineKeyring, 'vault'>,
  work: (parts: OfflineKeyring) => Promise<T>,
): Promise<T> {
  // The agent's memory of refused PINs holds here too.
  const pins = configuredPin(keyring, credentialsDir, world);
  const { vault } = await openConfigured(keyring, { world, hosts: new ModuleHosts(hosts), pins });
  try {
    return await work({ vault, ...records });
  } finally {
    await vault.close();
  }
}

function readOnly(expected: ExpectedRecords | null): RecordsLedger {
  return { expected, announce: () => Promise.resolve(), settle: () => undefined };
}
