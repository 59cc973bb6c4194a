import type { AgentError } from '../../base/errors.ts';
import { algorithms } from '../../algorithms/algorithm.ts';
import { RC } from '../../formats/tpm/response-codes.ts';
import type { ServeKind } from '../hosted.ts';
import type { PinRefusal } from '../pin-gate.ts';
import { TpmDevices } from './device.ts';
import { openTpmVault } from './open-tpm-vault.ts';
import type { TpmAddress } from './place.ts';
import { PinRefused } from './sealed-key.ts';
import { isCode } from './tpm-error.ts';
import { TpmHangs } from './transport/transport.ts';

/** The vault host's side of a TPM. */
export const serveTpm: ServeKind = ({ now, pause, randomBytes, files, testPoint }) => {
  const world = { now, pause, randomBytes, testPoint };
  const devices = new TpmDevices(world);
  /** Held from `prepare` to the end of `open`, so that the TPM is not connected to twice. */
  let release = (): Promise<void> => Promise.resolve();
  return {
    async prepare({ place }) {
      const { device, callTimeout } = place as TpmAddress;
      await release();
      const taken = devices.take(device, callTimeout);
      ({ release } = taken);
      await taken.device.reach();
    },
    open({ place, keyring, algorithm, pin, log: ownLog }) {
      const { device, folder, pcrs, recovery, callTimeout, hasPin } = place as TpmAddress;
      const opened = openTpmVault({
        ...{ device, folder, keyring, pcrs, recovery, devices, files },
        algorithm: algorithms[algorithm],
        pin: hasPin ? pin : null,
        timeLimit: callTimeout,
        world: { ...world, log: ownLog },
      });
      return opened.finally(release);
    },
    failureOf: (failure) => ({
      fatal: failure instanceof TpmHangs,
      loginLost: false,
      givenTwice: false,
      full: false,
      pinRefusal: pinRefusalOf(failure),
      pinInDoubt: failure instanceof TpmHangs,
    }),
  };
};

/** A lockout says nothing of the PIN, which was not looked at. */
function pinRefusalOf(failure: AgentError): PinRefusal | null {
  if (!(failure instanceof PinRefused) || !isCode(failure.cause, RC.AUTH_FAIL)) return null;
  return { kind: 'incorrect', reason: 'TPM_RC_AUTH_FAIL' };
}
