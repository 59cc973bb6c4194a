import { describeFailure, type AgentError } from '../../../base/errors.ts';
import { algorithms } from '../../../algorithms/algorithm.ts';
import type { ServeKind } from '../../hosted.ts';
import type { PinRefusal } from '../../pin-gate.ts';
import { CKR, nameOfReturnValue } from './cryptoki.ts';
import { isFatal, isGivenTwice, isLoginLost, isReturnValue, returnValueOf } from './errors.ts';
import { KnownPins } from './known-pins.ts';
import { Pkcs11Modules } from './module.ts';
import type { TokenAddress } from '../opening.ts';
import { openPkcs11Vault } from './pkcs11-vault.ts';

/** The vault host's side of a PKCS#11 token: the one place where a module is loaded. */
export const servePkcs11: ServeKind = (world, shield) => {
  const modules = new Pkcs11Modules();
  const knownPins = new KnownPins(world.randomBytes(32));
  return {
    open: ({ place, keyring, algorithm, sessions, libraryParameters, pin, log }) =>
      openPkcs11Vault({
        uri: { ...(place as TokenAddress), id: null, pinSource: null },
        keyring,
        algorithm: algorithms[algorithm],
        libraryParameters,
        sessions,
        pin,
        modules,
        world: { now: world.now, randomBytes: world.randomBytes, log },
        environment: world.environment,
        shield,
        knownPins,
      }),
    failureOf: (failure) => ({
      fatal: isFatal(failure),
      loginLost: isLoginLost(failure),
      givenTwice: isGivenTwice(failure),
      pinRefusal: pinRefusalOf(failure),
    }),
  };
};

function pinRefusalOf({ kind, cause }: AgentError): PinRefusal | null {
  if (kind !== 'locked' || cause === undefined) return null; // the token was not asked
  const value = returnValueOf(cause);
  const reason = value === null ? describeFailure(cause) : nameOfReturnValue(value);
  const incorrect = isReturnValue(cause, CKR.PIN_INCORRECT, CKR.PIN_INVALID, CKR.PIN_LEN_RANGE);
  return { kind: incorrect ? 'incorrect' : 'closed', reason };
}
