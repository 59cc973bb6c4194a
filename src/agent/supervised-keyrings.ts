import type { KeyringSettings } from '../config/keyring-settings.ts';
import { keyringStatus } from './keyring-status.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { Supervisor } from './supervisor.ts';
import type { KeyringStatus } from '../api/status.ts';
import type { PinGate } from '../vault/pin-gate.ts';
import type { World } from '../base/world.ts';

/** The keyrings of the configuration. */
export class SupervisedKeyrings extends Supervisor<KeyringSettings, Keyring> {
  readonly #now: () => number;

  /** `credentialsDir`: for systemd credentials. `open` is given null for a keyring that has no PIN. */
  constructor(
    settings: readonly KeyringSettings[],
    open: (settings: KeyringSettings, pins: PinGate | null) => Promise<Keyring>,
    world: World,
    credentialsDir: string | null,
  ) {
    super(settings, open, world, { credentialsDir, called: 'an optional keyring' });
    this.#now = world.now;
  }

  status(): readonly KeyringStatus[] {
    const now = this.#now();
    return this.entries().map(({ settings, entry }) => keyringStatus(settings, entry, now));
  }
}
