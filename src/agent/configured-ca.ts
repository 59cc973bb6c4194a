import type { CaKey } from '../cluster/ca-key.ts';
import { openCaKey, type CaKeyParts } from '../cluster/open-ca-key.ts';
import { reservedKeyring } from '../cluster/reserved-keyring.ts';
import type { CaSettings } from '../config/settings.ts';
import type { ChangeJournal } from '../keyring/change-journal.ts';
import type { SupervisedSettings } from './supervisor.ts';
import type { AgentDatabase } from '../database/agent-database.ts';
import { CaTable } from '../database/ca-tables.ts';
import { algorithms } from '../algorithms/algorithm.ts';
import { SeedFile } from '../vault/file/seed-file.ts';
import type { ModuleHosts } from '../vault/host/module-hosts.ts';
import { madeAt } from '../vault/object-id.ts';
import type { PinGate } from '../vault/pin-gate.ts';
import { keyLabel } from '../vault/pkcs11/uri.ts';
import type { World } from '../base/world.ts';

/** Milliseconds; see KeyringSettings. */
const callTimeout = 10_000;

/** The CA under the name that `unlock` and `lock` know it by. That it is away is no reason not to start. */
export type SupervisedCaSettings = SupervisedSettings & CaSettings;

export function supervisedCa(ca: CaSettings): SupervisedCaSettings {
  return { ...ca, name: reservedKeyring, optional: true };
}

/** What the CA is opened with. */
export interface ConfiguredCaParts {
  readonly hosts: ModuleHosts;
  readonly database: AgentDatabase;
  readonly journal?: ChangeJournal | undefined;
  readonly world: World;
}

/** Opens the CA as it is configured; rejects as `openCaKey` and the token do, with `locked` for its PIN. */
export function configuredCa(
  parts: ConfiguredCaParts,
): (settings: SupervisedCaSettings, pins: PinGate | null) => Promise<CaKey> {
  const { database, journal, world } = parts;
  return async (settings, pins) => {
    const records = new CaTable(await database.made());
    const place = await openPlace(settings, pins, parts);
    try {
      return await openCaKey({ ...place, records, journal, world });
    } catch (failure) {
      await place.vault.close();
      throw failure;
    }
  };
}

async function openPlace(
  settings: SupervisedCaSettings,
  pins: PinGate | null,
  { hosts, world }: ConfiguredCaParts,
): Promise<Pick<CaKeyParts, 'vault' | 'where' | 'madeAt'>> {
  if (settings.backend === 'file') {
    const vault = new SeedFile(settings.path, world);
    return { vault, where: settings.path, madeAt: () => vault.modifiedAt() };
  }
  if (pins === null) throw new Error('the CA has a token and no PIN gate');
  const { name: keyring, uri } = settings;
  const vault = await hosts.openVault({
    uri,
    keyring,
    algorithm: algorithms.ed25519,
    sessions: 1,
    callTimeout,
    pins,
    refuseProtection: () => undefined,
    world,
  });
  const named = uri.token === null ? 'the token of cluster.ca_uri' : `token "${uri.token}"`;
  return {
    vault,
    where: `${named} (label "${keyLabel(keyring, uri)}")`,
    madeAt: ({ objectId }) => madeAt(objectId),
  };
}
