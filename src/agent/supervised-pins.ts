import { AgentError } from '../base/errors.ts';
import type { World } from '../base/world.ts';
import { kindOf } from '../vault/kinds/kinds.ts';
import type { KeyringPin } from '../vault/pins/keyring-pin.ts';
import { configuredPin, type PinOwner } from './configured-pin.ts';

/** The PINs of what is supervised, by its name. */
export class SupervisedPins {
  readonly #owners: readonly PinOwner[];
  readonly #pins: ReadonlyMap<string, KeyringPin | null>;

  /** `credentialsDir`: for systemd credentials. */
  constructor(owners: readonly PinOwner[], credentialsDir: string | null, world: World) {
    this.#owners = owners;
    this.#pins = new Map(
      owners.map((one) => [one.name, configuredPin(one, credentialsDir, world)]),
    );
    this.#knowRefusals(this);
  }

  /** null for one that takes none. */
  of(name: string): KeyringPin | null {
    return this.#pins.get(name) ?? null;
  }

  /** As `of`; throws `not_supported` for one that takes none. */
  required(owner: PinOwner): KeyringPin {
    const pins = this.of(owner.name);
    if (pins !== null) return pins;
    const { withoutPin } = kindOf(owner).words;
    throw new AgentError('not_supported', `keyring ${owner.name} ${withoutPin}`);
  }

  /** From now on neither tries a PIN that the other one saw refused by the same device. */
  shareRefusals(others: SupervisedPins): void {
    this.#knowRefusals(others);
    others.#knowRefusals(this);
  }

  forgetAll(because: string): void {
    for (const pins of this.#pins.values()) pins?.forget(because);
  }

  #knowRefusals(others: SupervisedPins): void {
    for (const one of this.#owners) {
      const pins = this.of(one.name);
      if (pins === null) continue;
      const same = others.#owners.filter((other) => isSameDevice(one, other));
      const gates = same.flatMap((other) => others.of(other.name) ?? []);
      pins.sameDevice = [...pins.sameDevice, ...gates.filter((other) => other !== pins)];
    }
  }
}

function isSameDevice(one: PinOwner, other: PinOwner): boolean {
  return one.backend === other.backend && kindOf(one).isSameDevice(one, other);
}
