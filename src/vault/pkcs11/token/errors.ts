import { AgentError, describeFailure, type ErrorKind } from '../../../base/errors.ts';
import { CKR, CKR_VENDOR_DEFINED, nameOfReturnValue } from './cryptoki.ts';

/** After this many milliseconds a caller may try a failing token again. */
const retryAfterMs = 1000;

const kinds: ReadonlyMap<number, ErrorKind> = new Map<number, ErrorKind>([
  [CKR.PIN_INCORRECT, 'locked'],
  [CKR.PIN_INVALID, 'locked'],
  [CKR.PIN_LEN_RANGE, 'locked'],
  [CKR.PIN_EXPIRED, 'locked'],
  [CKR.PIN_LOCKED, 'locked'],
  [CKR.USER_PIN_NOT_INITIALIZED, 'locked'],
  [CKR.DATA_LEN_RANGE, 'too_large'],
  [CKR.FUNCTION_NOT_SUPPORTED, 'not_supported'],
  [CKR.KEY_SIZE_RANGE, 'not_supported'],
  [CKR.KEY_TYPE_INCONSISTENT, 'not_supported'],
  [CKR.KEY_FUNCTION_NOT_PERMITTED, 'not_supported'],
  [CKR.MECHANISM_INVALID, 'not_supported'],
  [CKR.MECHANISM_PARAM_INVALID, 'not_supported'],
  [CKR.DOMAIN_PARAMS_INVALID, 'not_supported'],
  [CKR.CURVE_NOT_SUPPORTED, 'not_supported'],
]);

/**
 * The CK_RV of something that was thrown, null where it is none. Most calls carry it as a numeric `code`;
 * C_FindObjects slips past the bindings' own translation and has it in the message, `CKR_NAME:number`.
 * The name is never looked at: the bindings call every value newer than PKCS#11 2.40 CKR_VENDOR_DEFINED.
 */
export function returnValueOf(thrown: unknown): number | null {
  if (!(thrown instanceof Error)) return null;
  if ('code' in thrown && typeof thrown.code === 'number' && thrown.code !== 0) return thrown.code;
  const match = /^CKR_\w+:(\d+)/.exec(thrown.message);
  return match?.[1] === undefined ? null : Number(match[1]);
}

/** A return value that no call came back with, but that says best what was found. */
export class ReturnValueError extends Error {
  override readonly name = 'ReturnValueError';
  readonly code: number;

  constructor(value: number) {
    super(nameOfReturnValue(value));
    this.code = value;
  }
}

/** A login failed with this value, which does not say whether the device has looked at the PIN, and counted it. */
export class LoginInDoubt extends ReturnValueError {}

/** The values of which that is true: the device or its module failed, or it is a vendor's own word. */
export function leavesLoginInDoubt(value: number): boolean {
  const failed: readonly number[] = [CKR.GENERAL_ERROR, CKR.FUNCTION_FAILED, CKR.DEVICE_ERROR];
  return failed.includes(value) || value >= CKR_VENDOR_DEFINED;
}

/**
 * The module gave one handle to two objects, so that nobody knows which one a call with it would mean. Nothing was
 * removed. Another process numbers them anew; what was made is found there by its id.
 */
export class HandleGivenTwice extends Error {
  override readonly name = 'HandleGivenTwice';

  constructor() {
    super('the module gave one handle to two objects');
  }
}

/** CKR_GENERAL_ERROR where it means that this process has no room for another object. Nothing was made. */
export class ProcessIsFull extends ReturnValueError {
  constructor() {
    super(CKR.GENERAL_ERROR);
  }
}

/** Whether another process can make what this one could not. */
export function isFull(thrown: unknown): boolean {
  return rawOf(thrown) instanceof ProcessIsFull;
}

/** Whether this is what a process came to an end for. */
export function isGivenTwice(thrown: unknown): boolean {
  return rawOf(thrown) instanceof HandleGivenTwice;
}

/** Whether the failure is one of these return values. */
export function isReturnValue(thrown: unknown, ...values: readonly number[]): boolean {
  const value = returnValueOf(thrown);
  return value !== null && values.includes(value);
}

/**
 * Whether the session or a handle that was kept is no longer the token's: worth one more attempt with a new
 * session and the key found again. Nothing was signed or made by the call that failed so.
 */
export function isStale(thrown: unknown): boolean {
  return isReturnValue(
    thrown,
    CKR.SESSION_HANDLE_INVALID,
    CKR.SESSION_CLOSED,
    CKR.OBJECT_HANDLE_INVALID,
    CKR.KEY_HANDLE_INVALID,
    CKR.OPERATION_ACTIVE,
  );
}

/** Whether the token has forgotten the login: worth one more attempt after another one. */
export function isLoginLost(thrown: unknown): boolean {
  return isReturnValue(rawOf(thrown), CKR.USER_NOT_LOGGED_IN);
}

/** Whether only another process gets the module out of this: the device or the module itself failed. */
export function isFatal(thrown: unknown): boolean {
  return (
    isGivenTwice(thrown) ||
    isReturnValue(
      rawOf(thrown),
      CKR.DEVICE_ERROR,
      CKR.DEVICE_REMOVED,
      CKR.TOKEN_NOT_PRESENT,
      CKR.GENERAL_ERROR,
      CKR.CRYPTOKI_NOT_INITIALIZED,
    )
  );
}

function rawOf(thrown: unknown): unknown {
  return thrown instanceof AgentError ? thrown.cause : thrown;
}

/** Whether a failure takes every session of this process with it and not the one alone. */
export function isSessionLoss(thrown: unknown): boolean {
  return isReturnValue(thrown, CKR.SESSION_HANDLE_INVALID, CKR.SESSION_CLOSED);
}

/**
 * A module's failure as the agent's own; an AgentError passes as it is. `doing` completes "the token could not
 * ...". Not for wrong arguments of our own: a TypeError stays what it is, a bug.
 */
export function translate(thrown: unknown, doing: string): Error {
  if (thrown instanceof AgentError || thrown instanceof TypeError) return thrown;
  const value = returnValueOf(thrown);
  const kind = value === null ? 'backend_unavailable' : (kinds.get(value) ?? 'backend_unavailable');
  const reason = value === null ? describeFailure(thrown) : nameOfReturnValue(value);
  const message = `the token could not ${doing}: ${reason}`;
  const details = kind === 'backend_unavailable' ? { retry_after_ms: retryAfterMs } : {};
  return new AgentError(kind, message, { details, cause: thrown });
}
