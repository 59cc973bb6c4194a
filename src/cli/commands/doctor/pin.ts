import type { TokenKeyringSettings } from '../../../agent/configured-keyring.ts';
import { unlockCommand } from '../../../vault/pins/locked.ts';
import {
  PinMemory,
  pinMemoryPath,
  tokenNamed,
  type RememberedRefusal,
} from '../../../vault/pins/pin-memory.ts';
import { readPin } from '../../../vault/pins/read-pin.ts';
import type { World } from '../../../base/world.ts';
import { failure, lookedAt, ok, warning, type Finding } from './finding.ts';

/** The PIN's file and what is remembered of it. The PIN itself is neither shown nor tried. */
export function checkPin(
  { name, uri, sidecarPath }: Pick<TokenKeyringSettings, 'name' | 'uri' | 'sidecarPath'>,
  credentialsDirectory: string | null,
  world: Pick<World, 'files' | 'now' | 'randomBytes'>,
): Finding {
  const subject = `${name}: PIN`;
  return lookedAt(subject, () => {
    const memory = new PinMemory(pinMemoryPath(sidecarPath, name), name, tokenNamed(uri), world);
    const { closed } = memory;
    if (closed !== null) return refused(subject, name, 'takes no PIN any more', closed);
    const pin = readPin({ pinSource: uri.pinSource, keyring: name, credentialsDirectory });
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
        `its file can be read, and is closed to others (${source(uri.pinSource, name)})`,
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
