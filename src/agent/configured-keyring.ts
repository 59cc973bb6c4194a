import type { KeyringSettings } from '../config/keyring-settings.ts';
import { AgentError } from '../base/errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { ChangeJournal } from '../keyring/change-journal.ts';
import type { RecordsLedger } from '../keyring/watch/records-ledger.ts';
import { WatchedStore } from '../keyring/watch/watched-store.ts';
import { openKeyring } from '../keyring/open-keyring.ts';
import type { Protection } from '../api/signing-backend.ts';
import type { VaultHosts } from '../vault/hosted.ts';
import type { OpenedVault, OpenWith } from '../vault/kind-calls.ts';
import { kindOf } from '../vault/kinds/kinds.ts';
import type { PinGate } from '../vault/pin-gate.ts';
import { configuredStore } from './configured-store.ts';
import type { World } from '../base/world.ts';

const strength: Readonly<Record<Protection, number>> = {
  software: 0,
  'hardware-wrapped': 1,
  hardware: 2,
};

export interface KeyringWatch {
  /** What is known of each keyring's records from outside their store. */
  readonly ledger: (keyring: string) => RecordsLedger;
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
  hosts: VaultHosts,
  { ledger, journal, changed }: KeyringWatch,
): (settings: KeyringSettings, pins: PinGate | null) => Promise<Keyring> {
  return async (settings, pins) => {
    const { vault, store: own } = await openConfigured(settings, {
      ...{ world, hosts, pins },
      knownKids: ledger(settings.name).expected?.kids,
    });
    try {
      refuseWeaker(vault.protection, settings);
      const store = new WatchedStore(own ?? configuredStore(settings, world.files), {
        keyring: settings.name,
        ledger: ledger(settings.name),
        isOnlyWriter: own === null,
        copyPath: kindOf(settings).records(settings).copyPath,
      });
      return await openKeyring({
        name: settings.name,
        rotation: settings.rotation,
        prunes: settings.prunes,
        joseAlg: settings.joseAlg ?? undefined,
        vault,
        store,
        world,
        journal,
        changed: changed === undefined ? undefined : () => changed(settings.name),
      });
    } catch (failure) {
      await vault.close();
      throw failure;
    }
  };
}

function refuseWeaker(protection: Protection, { name, require }: KeyringSettings): void {
  if (strength[protection] >= strength[require]) return;
  throw new AgentError(
    'not_supported',
    `keyring ${name}: its keys would have protection ${protection}, and the configuration ` +
      `requires ${require}`,
  );
}

/** The vault of a keyring as it is configured; see `configuredKeyrings`. */
export function openConfigured(
  settings: KeyringSettings,
  opening: Omit<OpenWith, 'refuseProtection'>,
): Promise<OpenedVault> {
  return kindOf(settings).open(settings, {
    ...opening,
    refuseProtection: (protection) => {
      refuseWeaker(protection, settings);
    },
  });
}
