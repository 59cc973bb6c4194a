import type { PinGate } from '../pin-gate.ts';
import type { HostProcess } from './host-process.ts';
import type { HostedVaultOptions } from './hosted-vault-options.ts';
import { HostFailure, type Call, type Opened, type VaultNumber } from './messages.ts';

/**
 * A login with the PIN that the gate hands out; without a gate, with none. `login` calls `announce` right before it sends the PIN. It is asked first, so that a
 * PIN that may not be tried starts no process. Rejects with what the gate throws and with what `login` does;
 * a PIN that the token refused was written down by then.
 */
export async function logInWith(
  pins: PinGate | null,
  login: (pin: Buffer, announce: () => Promise<void>) => Promise<Opened>,
): Promise<Opened> {
  if (pins === null) return login(Buffer.alloc(0), () => Promise.resolve());
  const pin = pins.pin();
  try {
    const sent = Buffer.alloc(pin.length, pin);
    const opened = await login(sent, () => pins.trying(pin)).finally(() => sent.fill(0));
    // Also where the process was logged in already: it was compared with the PIN that did that.
    await pins.accepted(pin);
    return opened;
  } catch (failure) {
    if (failure instanceof HostFailure) {
      if (failure.pinRefusal !== null) await pins.refused(pin, failure.pinRefusal);
      // A device that fails may have counted the attempt.
      else if (!failure.fatal) await pins.answered(pin);
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
  { target, keyring, algorithm, libraryParameters, sessions, callTimeout }: HostedVaultOptions,
  pin: Buffer,
  announce: () => Promise<void>,
): Promise<Opened> {
  const call: Call = {
    op: 'open',
    vault,
    keyring,
    backend: target.backend,
    place: target.place,
    algorithm: algorithm.name,
    sessions,
    libraryParameters,
  };
  await process.started();
  await announce();
  return process.call<Opened>(call, callTimeout, pin);
}
