import type { PinGate } from '../pin-gate.ts';
import type { HostProcess } from './host-process.ts';
import type { HostedVaultOptions } from './hosted-vault-options.ts';
import { HostFailure, type HostCall, type Opened, type VaultNumber } from './messages.ts';

/**
 * A login with the PIN that the gate hands out; without a gate, with none. `login` calls `announce` right before it
 * sends the PIN. The gate is asked first, so that a PIN that may not be tried starts no process. Rejects with what the gate throws and with what `login` does;
 * a PIN that the token refused was written down by then.
 */
export async function logInWith(
  pins: PinGate | null,
  login: (pin: Buffer, announce: () => Promise<void>) => Promise<Opened>,
): Promise<Opened> {
  if (pins === null) return login(Buffer.alloc(0), () => Promise.resolve());
  const pin = pins.pin();
  const sending = { isAnnounced: false };
  try {
    const sent = Buffer.alloc(pin.length, pin);
    const opened = await login(sent, async () => {
      await pins.trying(pin);
      sending.isAnnounced = true;
    }).finally(() => sent.fill(0));
    // Also where the process was logged in already: it was compared with the PIN that did that.
    await pins.accepted(pin);
    return opened;
  } catch (failure) {
    if (failure instanceof HostFailure) {
      if (failure.pinRefusal !== null) await pins.refused(pin, failure.pinRefusal);
      // A device that fails may have counted the attempt. What failed before the login, or behind it, says nothing of one.
      else if (sending.isAnnounced && !failure.pinInDoubt) await pins.answered(pin);
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
  const call: HostCall = {
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
  // What cannot be loaded or is not there fails before the login is announced: no PIN was at stake.
  const { backend, place } = target;
  await process.call({ op: 'prepare', vault, backend, place, libraryParameters }, callTimeout);
  await announce();
  return process.call<Opened>(call, callTimeout, pin);
}
