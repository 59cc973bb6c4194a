import type { KeyringSettings } from '../config/keyring-settings.ts';
import { AgentError, quoted } from '../base/errors.ts';

/** The keyring of that name in the configuration; throws `not_found`, naming those that it has. */
export function namedKeyring(keyrings: readonly KeyringSettings[], name: string): KeyringSettings {
  const found = keyrings.find((keyring) => keyring.name === name);
  if (found !== undefined) return found;
  const names = keyrings.map((keyring) => keyring.name).join(', ');
  throw new AgentError('not_found', `there is no keyring ${quoted(name)}; there is: ${names}`, {
    details: { keyring: name.slice(0, 80) },
  });
}
