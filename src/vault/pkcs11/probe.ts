import { AgentError } from '../../base/errors.ts';
import type { AlgorithmName } from '../../api/signing-backend.ts';
import { algorithms } from '../../algorithms/algorithm.ts';
import { CKF, CKR } from './cryptoki.ts';
import { isReturnValue, translate } from './errors.ts';
import { Pkcs11Modules, type Pkcs11Module } from './module.ts';
import { findToken, type FoundToken } from './token.ts';
import type { Pkcs11Uri } from './uri.ts';

/** A module and what is looked for in it; nothing secret. */
export interface ProbeRequest {
  /** The real path of the module. */
  readonly path: string;
  readonly uri: Pick<Pkcs11Uri, 'token' | 'serial' | 'manufacturer' | 'model'>;
  readonly algorithm: AlgorithmName;
}

export type ModuleProbe =
  /** It cannot be loaded, does not start, or does not answer. */
  | { readonly outcome: 'not_loaded'; readonly reason: string }
  /** None, or not the only one. */
  | { readonly outcome: 'no_token'; readonly reason: string }
  | { readonly outcome: 'token'; readonly token: TokenProbe };

/** What a token says to somebody who has not logged in. */
export interface TokenProbe {
  readonly label: string;
  readonly serial: string;
  readonly writeProtected: boolean;
  readonly generates: boolean;
  readonly signs: boolean;
  /** It says so of both mechanisms. */
  readonly inHardware: boolean;
  readonly userPin: 'ready' | 'not_set' | 'count_low' | 'final_try' | 'locked' | 'to_be_changed';
}

/** Loads the module and looks for the token, without a session and without a login. Throws nothing. */
export function probeModule({ path, uri, algorithm }: ProbeRequest): ModuleProbe {
  let module: Pkcs11Module;
  try {
    module = new Pkcs11Modules().use(path);
  } catch (thrown) {
    return { outcome: 'not_loaded', reason: reasonOf(thrown) };
  }
  try {
    const found = findToken(module, uri);
    const { generate, sign } = algorithms[algorithm].pkcs11;
    const flags = [flagsOf(module, found, generate), flagsOf(module, found, sign)] as const;
    const { label, serialNumber, flags: state } = found.token;
    return {
      outcome: 'token',
      token: {
        label,
        serial: serialNumber,
        writeProtected: (state & CKF.WRITE_PROTECTED) !== 0,
        generates: flags[0] !== null,
        signs: flags[1] !== null,
        inHardware: flags.every((each) => ((each ?? 0) & CKF.HW) !== 0),
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

/** CK_MECHANISM_INFO flags; null where the token does not have the mechanism. */
function flagsOf(module: Pkcs11Module, { slot }: FoundToken, mechanism: number): number | null {
  try {
    return module.lib.C_GetMechanismInfo(slot.handle, mechanism).flags;
  } catch (thrown) {
    if (isReturnValue(thrown, CKR.MECHANISM_INVALID)) return null;
    throw translate(thrown, 'list its mechanisms');
  }
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof AgentError) return thrown.message;
  return thrown instanceof Error ? thrown.message : String(thrown);
}
