import type { KeyringSettings } from '../config/keyring-settings.ts';
import { AgentError, quoted } from '../base/errors.ts';
import type { BackupWorld } from '../vault/kind-calls.ts';
import type { KeyringBackup } from '../vault/keyring-backup.ts';
import { kindOf } from '../vault/kinds/kinds.ts';

/**
 * The keystore of a file keyring, to back it up and to restore it. Rejects with `not_found`, and `not_supported` for a
 * keyring whose keys do not leave the device.
 */
export async function configuredKeystore(
  keyrings: readonly KeyringSettings[],
  name: string,
  world: BackupWorld,
): Promise<KeyringBackup> {
  const settings = keyrings.find((keyring) => keyring.name === name);
  if (settings === undefined) {
    const names = keyrings.map((keyring) => keyring.name).join(', ');
    throw new AgentError('not_found', `there is no keyring ${quoted(name)}; there is: ${names}`, {
      details: { keyring: name.slice(0, 80) },
    });
  }
  const { backup } = kindOf(settings);
  if (typeof backup !== 'string') return backup(settings, world);
  throw new AgentError('not_supported', `keyring ${name} ${backup}`);
}
