import type { KeyringSettings } from '../config/settings.ts';
import { AgentError } from '../base/errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { ChangeJournal } from '../keyring/change-journal.ts';
import { openKeyring } from '../keyring/open-keyring.ts';
import type { Protection } from '../api/signing-backend.ts';
import { Sidecar } from '../keyring/sidecar/sidecar.ts';
import type { StateStore } from '../keyring/state-store.ts';
import { algorithms } from '../algorithms/algorithm.ts';
import { FileKeystore } from '../vault/file/keystore.ts';
import type { ModuleHosts } from '../vault/host/module-hosts.ts';
import type { PinGate } from '../vault/pin-gate.ts';
import type { Vault } from '../vault/vault.ts';
import type { World } from '../base/world.ts';

const strength: Readonly<Record<Protection, number>> = {
  software: 0,
  'hardware-wrapped': 1,
  hardware: 2,
};

export type TokenKeyringSettings = Extract<KeyringSettings, { backend: 'pkcs11' }>;

/** A token with one keyring's keys, and the sidecar with their records; neither is compared with the other. */
export interface TokenKeyringParts {
  readonly vault: Vault;
  readonly store: Sidecar;
}

export interface KeyringWatch {
  readonly journal?: ChangeJournal | undefined;
  /** See KeyringParts; `name` is the keyring's. */
  readonly changed?: (name: string) => Promise<void>;
}

/**
 * Opens keyrings as they are configured. `hosts` are the same for all of them, and for whoever else has keys in
 * tokens: those on one PKCS#11 module share its process. The opener rejects with `locked` where the PIN is missing
 * or wrong.
 */
export function configuredKeyrings(
  world: World,
  hosts: ModuleHosts,
  { journal, changed }: KeyringWatch = {},
): (settings: KeyringSettings, pins: PinGate | null) => Promise<Keyring> {
  const openToken = tokenKeyrings(world, hosts);
  return async (settings, pins) => {
    const parts =
      settings.backend === 'file'
        ? await openFile(settings.path, world)
        : await openToken(settings, pins);
    try {
      refuseWeaker(parts.vault.protection, settings);
      return await openKeyring({
        name: settings.name,
        rotation: settings.rotation,
        ...parts,
        world,
        journal,
        changed: changed === undefined ? undefined : () => changed(settings.name),
      });
    } catch (failure) {
      await parts.vault.close();
      throw failure;
    }
  };
}

async function openFile(path: string, world: World): Promise<{ vault: Vault; store: StateStore }> {
  const keystore = new FileKeystore(path, world);
  await keystore.migrateLegacySeed();
  return { vault: keystore, store: keystore };
}

function refuseWeaker(protection: Protection, { name, require }: KeyringSettings): void {
  if (strength[protection] >= strength[require]) return;
  throw new AgentError(
    'not_supported',
    `keyring ${name}: its keys would have protection ${protection}, and the configuration ` +
      `requires ${require}`,
  );
}

/** Token and sidecar as they are configured; see `configuredKeyrings`. */
export function tokenKeyrings(
  world: World,
  hosts: ModuleHosts,
): (settings: TokenKeyringSettings, pins: PinGate | null) => Promise<TokenKeyringParts> {
  return async (settings, pins) => {
    if (pins === null) throw new Error(`keyring ${settings.name} has a token and no PIN gate`);
    const { name: keyring, algorithm, sidecarPath, uri, sessions, callTimeout } = settings;
    const { requireSeal } = settings;
    const vault = await hosts.openVault({
      uri,
      keyring,
      algorithm: algorithms[algorithm],
      sessions,
      callTimeout,
      pins,
      refuseProtection: (protection) => {
        refuseWeaker(protection, settings);
      },
      world,
    });
    const owner = { keyring, algorithm };
    return { vault, store: new Sidecar(sidecarPath, owner, world.files, requireSeal) };
  };
}
