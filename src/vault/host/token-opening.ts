import type { Protection } from '../../keyring/signing-backend.ts';
import type { Algorithm } from '../algorithm.ts';
import type { PinGate } from '../pin-gate.ts';
import type { Pkcs11Uri } from '../pkcs11/uri.ts';
import type { HostProcess } from './host-process.ts';
import { HostFailure, type Call, type Opened, type VaultNumber } from './messages.ts';

/** What opens a keyring's token in a vault host. */
export interface TokenOpening {
  readonly uri: Pkcs11Uri;
  readonly keyring: string;
  readonly algorithm: Algorithm;
  /** Signatures at a time. */
  readonly sessions: number;
  /** A call that takes longer is taken for hung, milliseconds. */
  readonly callTimeout: number;
  readonly pins: PinGate;
  /** Throws where this protection is less than the configuration requires. */
  readonly refuseProtection: (protection: Protection) => void;
}

/**
 * A login with the PIN that the gate hands out, whose copy `login` is given to wipe. It is asked first, so that a
 * PIN that may not be tried starts no process. Rejects with what the gate throws and with what `login` does;
 * a PIN that the token refused was written down by then.
 */
export async function logInWith(
  pins: PinGate,
  login: (pin: Buffer) => Promise<Opened>,
): Promise<Opened> {
  const pin = pins.pin();
  try {
    const opened = await login(Buffer.alloc(pin.length, pin));
    if (opened.pinUsed) await pins.accepted(pin);
    return opened;
  } catch (failure) {
    if (failure instanceof HostFailure && failure.pinRefusal !== null) {
      await pins.refused(pin, failure.pinRefusal);
    }
    throw failure;
  } finally {
    pin.fill(0);
  }
}

/** Opens the token in this process; `pin` is wiped. */
export async function openToken(
  process: HostProcess,
  vault: VaultNumber,
  { uri, keyring, algorithm, sessions, callTimeout }: TokenOpening,
  pin: Buffer,
): Promise<Opened> {
  const { token, serial, manufacturer, model, object, modulePath, moduleName } = uri;
  const call: Call = {
    op: 'open',
    vault,
    keyring,
    uri: { token, serial, manufacturer, model, object, modulePath, moduleName },
    algorithm: algorithm.name,
    sessions,
  };
  await process.started();
  return process.call<Opened>(call, callTimeout, pin);
}
