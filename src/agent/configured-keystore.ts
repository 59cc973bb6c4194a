import type { KeyringSettings } from '../config/keyring-settings.ts';
import { AgentError } from '../base/errors.ts';
import { namedKeyring } from './named-keyring.ts';
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
  const settings = namedKeyring(keyrings, name);
  const { backup } = kindOf(settings);
  if (typeof backup !== 'string') return backup(settings, world);
  throw new AgentError('not_supported', `keyring ${name} ${backup}`);
}
