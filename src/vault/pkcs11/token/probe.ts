import { AgentError } from '../../../base/errors.ts';
import type { AlgorithmName } from '../../../api/signing-backend.ts';
import { algorithms } from '../../../algorithms/algorithm.ts';
import { CKF } from './cryptoki.ts';
import { identify } from './device.ts';
import { flagsOfMechanism, insteadOf } from './mechanisms.ts';
import { Pkcs11Modules, type Pkcs11Module } from './module.ts';
import { quirksOf } from './quirks.ts';
import { findToken } from './token.ts';
import type { Pkcs11Uri } from '../uri.ts';

/** A module and what is looked for in it; nothing secret. */
export interface ProbeRequest {
  /** The real path of the module. */
  readonly path: string;
  readonly uri: Pick<Pkcs11Uri, 'token' | 'serial' | 'manufacturer' | 'model'>;
  readonly algorithm: AlgorithmName;
  /** For C_Initialize; null for none. */
  readonly libraryParameters: string | null;
}

export type ModuleProbe =
  /** No module can be loaded. */
  | { readonly outcome: 'no_binding'; readonly reason: string }
  /** It cannot be loaded, does not start, or does not answer. */
  | { readonly outcome: 'not_loaded'; readonly reason: string }
  /** None, or not the only one. */
  | { readonly outcome: 'no_token'; readonly reason: string }
  | { readonly outcome: 'token'; readonly token: TokenProbe };

/** What a token says to somebody who has not logged in. */
export interface TokenProbe {
  readonly label: string;
  readonly serial: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly writeProtected: boolean;
  readonly generates: boolean;
  readonly signs: boolean;
  /** What to ask for where it does not have the algorithm; null where it has. */
  readonly instead: string | null;
  /** It says so of both mechanisms, and is believed. */
  readonly inHardware: boolean;
  /** Who sets back a locked user PIN, and how. */
  readonly unlockRemedy: string;
  /** What is to be known before it happens. */
  readonly warning: string | null;
  readonly userPin: 'ready' | 'not_set' | 'count_low' | 'final_try' | 'locked' | 'to_be_changed';
}

/**
 * Loads the module and looks for the token, without a session and without a login. `environment`: what the module
 * sees. Throws nothing.
 */
export function probeModule(
  { path, uri, algorithm, libraryParameters }: ProbeRequest,
  environment: Readonly<Record<string, string | undefined>>,
): ModuleProbe {
  let module: Pkcs11Module;
  try {
    module = new Pkcs11Modules().use(path, libraryParameters);
  } catch (thrown) {
    return { outcome: 'not_loaded', reason: reasonOf(thrown) };
  }
  try {
    const found = findToken(module, uri);
    const { lib } = module;
    const device = identify(lib, found.slot, found.token);
    const { unlockRemedy, warning, hardwareFlagHolds } = quirksOf(device);
    const { generate, sign } = algorithms[algorithm].pkcs11;
    const made = flagsOfMechanism(lib, found, generate);
    const signed = flagsOfMechanism(lib, found, sign);
    const { flags: state } = found.token;
    const { label, serial, manufacturer, model } = device.token;
    return {
      outcome: 'token',
      token: {
        label,
        serial,
        manufacturer,
        model,
        writeProtected: (state & CKF.WRITE_PROTECTED) !== 0,
        generates: made !== null,
        signs: signed !== null,
        instead:
          made === null || signed === null
            ? insteadOf(lib, found, device, algorithms[algorithm])
            : null,
        inHardware:
          hardwareFlagHolds && [made, signed].every((flags) => ((flags ?? 0) & CKF.HW) !== 0),
        unlockRemedy,
        warning: warning(environment),
        userPin: userPinOf(state),
      },
    };
  } catch (thrown) {
    return { outcome: 'no_token', reason: reasonOf(thrown) };
  } finally {
    module.release();
  }
}

/** The worst of what CK_TOKEN_INFO says. */
function userPinOf(flags: number): TokenProbe['userPin'] {
  if ((flags & CKF.USER_PIN_INITIALIZED) === 0) return 'not_set';
  if ((flags & CKF.USER_PIN_LOCKED) !== 0) return 'locked';
  if ((flags & CKF.USER_PIN_TO_BE_CHANGED) !== 0) return 'to_be_changed';
  if ((flags & CKF.USER_PIN_FINAL_TRY) !== 0) return 'final_try';
  return (flags & CKF.USER_PIN_COUNT_LOW) === 0 ? 'ready' : 'count_low';
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof AgentError) return thrown.message;
  return thrown instanceof Error ? thrown.message : String(thrown);
}
