import type { Protection } from '../../api/signing-backend.ts';
import type { Algorithm } from '../../algorithms/algorithm.ts';
import type { PinGate } from '../pin-gate.ts';
import type { Pkcs11Uri } from '../pkcs11/uri.ts';
import type { HostProcess } from './host-process.ts';
import { HostFailure, type Call, type Opened, type VaultNumber } from './messages.ts';

/** What opens a keyring's token in a vault host. */
export interface TokenOpening {
  readonly uri: Pkcs11Uri;
  readonly keyring: string;
  readonly algorithm: Algorithm;
  /** For C_Initialize; null for none. One for all keyrings on a module. */
  readonly libraryParameters: string | null;
  /** Signatures at a time. */
  readonly sessions: number;
  /** A call that takes longer is taken for hung, milliseconds. */
  readonly callTimeout: number;
  readonly pins: PinGate;
  /** Throws where this protection is less than the configuration requires. */
  readonly refuseProtection: (protection: Protection) => void;
}

/**
 * A login with the PIN that the gate hands out. `login` calls `announce` right before it sends the PIN. It is asked first, so that a
 * PIN that may not be tried starts no process. Rejects with what the gate throws and with what `login` does;
 * a PIN that the token refused was written down by then.
 */
export async function logInWith(
  pins: PinGate,
  login: (pin: Buffer, announce: () => Promise<void>) => Promise<Opened>,
): Promise<Opened> {
  const pin = pins.pin();
  try {
    const sent = Buffer.alloc(pin.length, pin);
    const opened = await login(sent, () => pins.trying(pin)).finally(() => sent.fill(0));
    // Also where the process was logged in already: it was compared with the PIN that did that.
    await pins.accepted(pin);
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

/** Opens the token in this process. */
export async function openToken(
  process: HostProcess,
  vault: VaultNumber,
  { uri, keyring, algorithm, libraryParameters, sessions, callTimeout }: TokenOpening,
  pin: Buffer,
  announce: () => Promise<void>,
): Promise<Opened> {
  const { token, serial, manufacturer, model, object, modulePath, moduleName } = uri;
  const call: Call = {
    op: 'open',
    vault,
    keyring,
    uri: { token, serial, manufacturer, model, object, modulePath, moduleName },
    algorithm: algorithm.name,
    sessions,
    libraryParameters,
  };
  await process.started();
  await announce();
  return process.call<Opened>(call, callTimeout, pin);
}
