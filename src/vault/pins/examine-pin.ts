import type { PinPlace } from '../pin-place.ts';
import { unlockCommand } from './locked.ts';
import { PinMemory, pinMemoryPath, type RememberedRefusal } from './pin-memory.ts';
import { readPin } from './read-pin.ts';
import type { World } from '../../base/world.ts';
import { failure, inspected, ok, warning, type Finding } from '../../base/finding.ts';

/** The PIN's file and what is remembered of it. The PIN itself is neither shown nor tried. */
export function examinePin(
  name: string,
  { pinSource, device, besidePath }: PinPlace,
  credentialsDirectory: string | null,
  world: Pick<World, 'files' | 'now' | 'randomBytes'>,
): Finding {
  const subject = `${name}: PIN`;
  return inspected(subject, () => {
    const memory = new PinMemory(pinMemoryPath(besidePath, name), name, device, world);
    const { closed } = memory;
    if (closed !== null) return refused(subject, name, 'takes no PIN any more', closed);
    const pin = readPin({ pinSource, keyring: name, credentialsDirectory });
    if (pin === null) {
      return warning(
        subject,
        'no source here: the keyring starts locked, unless the service has a systemd credential ' +
          `${name}.pin; open it with: ${unlockCommand(name)}`,
      );
    }
    try {
      const refusal = memory.refusalNow(pin);
      if (refusal !== null) return refused(subject, name, 'has refused this PIN', refusal);
      return ok(
        subject,
        `its file can be read, and is closed to others (${source(pinSource, name)})`,
      );
    } finally {
      pin.fill(0);
    }
  });
}

function refused(
  subject: string,
  keyring: string,
  what: string,
  { at, reason }: RememberedRefusal,
): Finding {
  return failure(
    subject,
    `the token ${what} (${reason}, ${at}), so it is not tried again: correct it; or, where it is right by now: ` +
      `${unlockCommand(keyring)} --again`,
  );
}

function source(pinSource: string | null, keyring: string): string {
  return pinSource ?? `systemd credential ${keyring}.pin`;
}
