import { describeFailure, type AgentError } from '../../../base/errors.ts';
import { algorithms } from '../../../algorithms/algorithm.ts';
import type { ServeKind } from '../../hosted.ts';
import type { PinRefusal } from '../../pin-gate.ts';
import { CKR, nameOfReturnValue } from './cryptoki.ts';
import {
  isFatal,
  isFull,
  isGivenTwice,
  isLoginLost,
  isReturnValue,
  LoginInDoubt,
  returnValueOf,
} from './errors.ts';
import { KnownPins } from './known-pins.ts';
import { Pkcs11Modules, type Pkcs11Module } from './module.ts';
import { resolveModulePath } from '../module-path.ts';
import type { Pkcs11Uri } from '../uri.ts';
import { findToken } from './token.ts';
import type { TokenAddress } from '../opening.ts';
import { openPkcs11Vault } from './pkcs11-vault.ts';

/** The vault host's side of a PKCS#11 token: the one place where a module is loaded. */
export const servePkcs11: ServeKind = (world, shield) => {
  const modules = new Pkcs11Modules();
  const knownPins = new KnownPins(world.randomBytes(32));
  /** Held from `prepare` to the end of `open`, so that the module is not started twice. */
  let prepared: Pkcs11Module | null = null;
  const release = (): void => {
    prepared?.release();
    prepared = null;
  };
  return {
    prepare: ({ place, libraryParameters }) => {
      release();
      const uri = uriOf(place);
      const module = modules.use(resolveModulePath(uri), libraryParameters);
      try {
        findToken(module, uri);
        prepared = module;
        return Promise.resolve();
      } catch (failure) {
        module.release();
        throw failure;
      }
    },
    open: ({ place, keyring, algorithm, sessions, libraryParameters, pin, log }) =>
      openPkcs11Vault({
        uri: uriOf(place),
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
      }).finally(release),
    failureOf: (failure) => ({
      fatal: isFatal(failure),
      loginLost: isLoginLost(failure),
      givenTwice: isGivenTwice(failure),
      full: isFull(failure),
      pinRefusal: pinRefusalOf(failure),
      pinInDoubt: failure.cause instanceof LoginInDoubt,
    }),
  };
};

function uriOf(place: unknown): Pkcs11Uri {
  return { ...(place as TokenAddress), id: null, pinSource: null };
}

function pinRefusalOf({ kind, cause }: AgentError): PinRefusal | null {
  if (kind !== 'locked' || cause === undefined) return null; // the token was not asked
  const value = returnValueOf(cause);
  const reason = value === null ? describeFailure(cause) : nameOfReturnValue(value);
  const incorrect = isReturnValue(cause, CKR.PIN_INCORRECT, CKR.PIN_INVALID, CKR.PIN_LEN_RANGE);
  return { kind: incorrect ? 'incorrect' : 'closed', reason };
}
