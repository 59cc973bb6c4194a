import type { CaKey } from '../cluster/ca-key.ts';
import { forgetCa } from '../cluster/forget-ca.ts';
import { openCaKey } from '../cluster/open-ca-key.ts';
import { reservedKeyring } from '../cluster/reserved-keyring.ts';
import type { ChangeJournal } from '../keyring/change-journal.ts';
import type { SupervisedSettings } from './supervisor.ts';
import type { AgentDatabase } from '../database/agent-database.ts';
import { CaTable } from '../database/ca-tables.ts';
import type { VaultHosts } from '../vault/hosted.ts';
import { kindOf, type KeyPlace } from '../vault/kinds/kinds.ts';
import type { OpenedCa } from '../vault/kind-of-ca.ts';
import type { PinGate } from '../vault/pin-gate.ts';
import type { World } from '../base/world.ts';

/** The CA under the name that `unlock` and `lock` know it by. That it is away is no reason not to start. */
export type SupervisedCaSettings = SupervisedSettings;

export function supervisedCa(ca: KeyPlace): SupervisedCaSettings {
  return { ...ca, name: reservedKeyring, optional: true };
}

/** What the CA is opened with. */
export interface ConfiguredCaParts {
  readonly hosts: VaultHosts;
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
    const records = new CaTable(await database.openOrCreate());
    const place = await placeOfCa(parts, settings, pins);
    try {
      return await openCaKey({ ...place, records, journal, world });
    } catch (failure) {
      await place.vault.close();
      throw failure;
    }
  };
}

/** As `forgetCa`, of the CA as it is configured, which is not open. */
export async function forgetConfiguredCa(
  parts: ConfiguredCaParts,
  settings: SupervisedCaSettings,
  pins: PinGate | null,
): Promise<void> {
  const records = new CaTable(await parts.database.openOrCreate());
  const place = await placeOfCa(parts, settings, pins);
  try {
    await forgetCa(place, records);
  } finally {
    await place.vault.close();
  }
}

function placeOfCa(
  { hosts, world }: ConfiguredCaParts,
  settings: SupervisedCaSettings,
  pins: PinGate | null,
): Promise<OpenedCa> {
  const { ca } = kindOf(settings);
  if (ca === null) throw new Error(`a ${settings.backend} backend keeps no CA`);
  const refuseProtection = (): void => undefined; // of the CA's nothing is required
  return ca.open(settings, { world, hosts, pins, refuseProtection });
}
