import type { Settings } from '../config/settings.ts';
import { AgentError } from '../base/errors.ts';
import type { World } from '../base/world.ts';
import { lockStateDir } from '../files/state-dir-lock.ts';
import type { Libc } from '../native/libc.ts';
import { OldPinNeeded, type Resealed, type ResealRequest } from '../vault/keyring-reseal.ts';
import type { PinPlace } from '../vault/pin-place.ts';
import { kindOf } from '../vault/kinds/kinds.ts';
import { namedKeyring } from './named-keyring.ts';

export interface OfflineReseal {
  readonly settings: Settings;
  readonly keyring: string;
  /** In the place of the device; null: the device opens the key. */
  readonly identities: readonly string[] | null;
  readonly world: World;
  readonly libc: Libc;
  /** The PIN until now, asked for once the device is known to need it. The Buffer is wiped. */
  readonly oldPin: () => Promise<Buffer>;
  /** The PIN from now on, where the keyring is to have one. The Buffer is wiped. */
  readonly newPin: (place: PinPlace) => Promise<Buffer>;
}

/**
 * Seals the key of a keyring anew, and keeps agents away meanwhile. Throws AlreadyRunningError where one runs,
 * `not_found`, `not_supported` for a keyring whose kind has none, and as VaultKind.reseal.
 */
export async function resealOffline(options: OfflineReseal): Promise<Resealed> {
  const { settings, identities, world, libc } = options;
  const keyring = namedKeyring(settings.keyrings, options.keyring);
  const lock = lockStateDir(settings.stateDir, libc);
  try {
    const { reseal } = kindOf(keyring);
    if (typeof reseal === 'string') {
      throw new AgentError('not_supported', `keyring ${keyring.name} ${reseal}`);
    }
    const place = kindOf(keyring).pin(keyring);
    const pin = place === null ? null : await options.newPin(place);
    const attempt = (from: ResealRequest['from']): Promise<Resealed> =>
      reseal(keyring, { from, pin: pin === null ? null : Buffer.from(pin) }, world);
    try {
      if (identities !== null) return await attempt({ by: 'identity', identities });
      return await attempt({ by: 'device', pin: null }).catch(async (failure: unknown) => {
        if (!(failure instanceof OldPinNeeded)) throw failure;
        return attempt({ by: 'device', pin: await options.oldPin() });
      });
    } finally {
      pin?.fill(0);
    }
  } finally {
    lock.release();
  }
}
