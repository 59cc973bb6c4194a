import { Session } from 'graphene-pk11';
import { AgentError } from '../../../base/errors.ts';
import type { Shield } from '../../hosted.ts';
import { CKF, CKR, CKS_RW_USER_FUNCTIONS, CKU_USER, nameOfReturnValue } from './cryptoki.ts';
import {
  isReturnValue,
  leavesLoginInDoubt,
  LoginInDoubt,
  ReturnValueError,
  returnValueOf,
  translate,
} from './errors.ts';
import { describeToken, tokenIdentity } from './device.ts';
import type { Quirks } from './quirks.ts';
import type { FoundToken } from './token.ts';

const readWrite = CKF.RW_SESSION | CKF.SERIAL_SESSION;

type LoginQuirks = Pick<Quirks, 'unlockRemedy' | 'wrongPin'>;

/**
 * The login of this process to one token, and the session that holds it: a login ends with the last session of
 * the process (PKCS#11, 5.6.7), and sessions that sign are thrown away after errors. Once a process and token:
 * SoftHSM rewrites its token file at every login, and a kill at that moment destroys the token, which is why
 * a login is run behind a shield.
 */
export class TokenLogin {
  readonly #found: FoundToken;
  readonly #shield: Shield;
  readonly #quirks: LoginQuirks;
  #session: Session;
  /** False where the process was logged in already (another keyring's doing): nobody looked at the PIN. */
  readonly pinUsed: boolean;

  /**
   * Throws `locked` where the PIN is wrong, locked or missing. There is no second attempt: each one counts.
   * `pin` stays the caller's.
   */
  constructor(found: FoundToken, pin: Buffer, shield: Shield, quirks: LoginQuirks) {
    this.#found = found;
    this.#shield = shield;
    this.#quirks = quirks;
    const { session, pinUsed } = logIn(found, pin, shield, quirks, true);
    this.#session = session;
    this.pinUsed = pinUsed;
  }

  /** Once more, where the token has forgotten it. Throws as the constructor. `pin` stays the caller's. */
  again(pin: Buffer): void {
    closeQuietly(this.#session);
    this.#session = logIn(this.#found, pin, this.#shield, this.#quirks, false).session;
  }

  /** No C_Logout, which would end the login of other keyrings on this token too. */
  close(): void {
    closeQuietly(this.#session);
  }
}

function logIn(
  found: FoundToken,
  pin: Buffer,
  shield: Shield,
  quirks: LoginQuirks,
  unlessLoggedIn: boolean,
): { readonly session: Session; readonly pinUsed: boolean } {
  const name = describeToken(tokenIdentity(found.token));
  // No cause: the PIN was not sent, and there is nothing to remember. The next login looks at the flags again.
  if ((found.token.flags & CKF.USER_PIN_INITIALIZED) === 0) {
    throw new AgentError(
      'locked',
      `${name} has no user PIN yet; set one with the token's own tools, and start the agent again`,
    );
  }
  if ((found.token.flags & CKF.USER_PIN_LOCKED) !== 0) {
    throw new AgentError('locked', `${name} has locked its user PIN; ${quirks.unlockRemedy}`);
  }
  const session = openSession(found);
  // Each login counts, and makes SoftHSM write: where the process is logged in already there is none.
  if (unlessLoggedIn && session.state === CKS_RW_USER_FUNCTIONS) return { session, pinUsed: false };
  try {
    shield(() => {
      found.slot.lib.C_Login(session.handle, CKU_USER, pin.toString('utf8'));
    });
    return { session, pinUsed: true };
  } catch (thrown) {
    if (isReturnValue(thrown, CKR.USER_ALREADY_LOGGED_IN)) return { session, pinUsed: false };
    closeQuietly(session);
    throw explainRefusal(thrown, name, quirks);
  }
}

/** Whether this process is logged in to the token by now. */
export function isLoggedIn(found: FoundToken): boolean {
  const session = openSession(found);
  const { state } = session;
  closeQuietly(session);
  return state === CKS_RW_USER_FUNCTIONS;
}

/** A read/write session of the logged-in user. CKR_USER_NOT_LOGGED_IN where the token has forgotten the login. */
export function openLoggedInSession(found: FoundToken): Session {
  const session = openSession(found);
  if (session.state === CKS_RW_USER_FUNCTIONS) return session;
  closeQuietly(session);
  throw new ReturnValueError(CKR.USER_NOT_LOGGED_IN);
}

/** Closing what the token has lost already is no failure. */
export function closeQuietly(session: Session): void {
  try {
    session.close();
  } catch {
    // The session is gone one way or the other, and nobody uses this handle again.
  }
}

/** Throws the module's own error: the pool looks at its number. */
function openSession(found: FoundToken): Session {
  const { slot } = found;
  return new Session(slot.lib.C_OpenSession(slot.handle, readWrite), slot, slot.lib);
}

function explainRefusal(
  thrown: unknown,
  name: string,
  { unlockRemedy, wrongPin }: LoginQuirks,
): Error {
  const value = returnValueOf(thrown);
  if (isReturnValue(thrown, CKR.PIN_LOCKED, CKR.PIN_EXPIRED)) {
    return new AgentError(
      'locked',
      `${name} takes no PIN any more (${nameOfReturnValue(value ?? 0)}); ${unlockRemedy}`,
      { cause: thrown },
    );
  }
  const refusals = [CKR.PIN_INCORRECT, CKR.PIN_INVALID, CKR.PIN_LEN_RANGE, ...wrongPin];
  if (isReturnValue(thrown, ...refusals)) {
    return new AgentError(
      'locked',
      `${name} refused the PIN (${nameOfReturnValue(value ?? 0)}); it was tried once and is not tried again`,
      // Whoever remembers the refusal looks for this value.
      { cause: wrongPin.includes(value ?? 0) ? new ReturnValueError(CKR.PIN_INCORRECT) : thrown },
    );
  }
  const inDoubt = value !== null && leavesLoginInDoubt(value);
  return translate(inDoubt ? new LoginInDoubt(value) : thrown, `log in to ${name}`);
}
