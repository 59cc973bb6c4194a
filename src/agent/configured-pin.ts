import type { World } from '../base/world.ts';
import { kindOf, type KeyPlace } from '../vault/kinds/kinds.ts';
import { KeyringPin } from '../vault/pins/keyring-pin.ts';

/** What has a PIN, or has none: a keyring, or the CA of a cluster. */
export type PinOwner = KeyPlace & { readonly name: string };

/** null for one whose kind takes no PIN. `credentialsDirectory`: for systemd credentials. */
export function configuredPin(
  owner: PinOwner,
  credentialsDirectory: string | null,
  world: Pick<World, 'files' | 'now' | 'randomBytes' | 'log'>,
): KeyringPin | null {
  const place = kindOf(owner).pin(owner);
  if (place === null) return null;
  return new KeyringPin({ keyring: owner.name, ...place, credentialsDirectory, world });
}
