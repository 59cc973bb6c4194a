import type { KeyringSettings } from '../config/settings.ts';
import { AgentError, quoted } from '../base/errors.ts';
import { KeystoreCopies } from '../vault/file/keystore-copies.ts';
import type { World } from '../base/world.ts';

/**
 * The keystore of a file keyring, to back it up and to restore it. Throws `not_found`, and `not_supported` for a
 * keyring in a token: its keys do not leave it.
 */
export function configuredKeystore(
  keyrings: readonly KeyringSettings[],
  name: string,
  world: Pick<World, 'files' | 'now' | 'randomBytes'>,
): KeystoreCopies {
  const settings = keyrings.find((keyring) => keyring.name === name);
  if (settings === undefined) {
    const names = keyrings.map((keyring) => keyring.name).join(', ');
    throw new AgentError('not_found', `there is no keyring ${quoted(name)}; there is: ${names}`, {
      details: { keyring: name.slice(0, 80) },
    });
  }
  if (settings.backend === 'file') return new KeystoreCopies(name, settings.path, world);
  throw new AgentError(
    'not_supported',
    `keyring ${name} is in a token, and its keys do not leave it: back the token up by its own means`,
  );
}
