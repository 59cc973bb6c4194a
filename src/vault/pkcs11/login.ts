import { Session } from 'graphene-pk11';
import { AgentError } from '../../errors.ts';
import { CKF, CKR, CKS_RW_USER_FUNCTIONS, CKU_USER, nameOfReturnValue } from './cryptoki.ts';
import { isReturnValue, returnValueOf, translate } from './errors.ts';
import { describeToken, type FoundToken } from './token.ts';

const readWrite = CKF.RW_SESSION | CKF.SERIAL_SESSION;

/**
 * Logs this process in to the token and answers the session that holds the login: a login ends with the last
 * session of the process (PKCS#11, 5.6.7), and sessions that sign are thrown away after errors. Once a process
 * and token: SoftHSM rewrites its token file at every login, and a kill at that moment destroys the token.
 *
 * A token that is logged in already (another keyring's doing) counts as success; its PIN is then not checked.
 * Throws `locked` where the PIN is wrong, locked or missing. There is no second attempt: each one counts.
 */
export function logIn(found: FoundToken, pin: Buffer): Session {
  const name = describeToken(found.token);
  if ((found.token.flags & CKF.USER_PIN_INITIALIZED) === 0) {
    throw new AgentError(
      'locked',
      `${name} has no user PIN yet; set one with the token's own tools`,
    );
  }
  if ((found.token.flags & CKF.USER_PIN_LOCKED) !== 0) {
    throw new AgentError(
      'locked',
      `${name} has locked its user PIN; its security officer resets it`,
    );
  }
  const session = openSession(found);
  try {
    found.slot.lib.C_Login(session.handle, CKU_USER, pin.toString('utf8'));
  } catch (thrown) {
    if (isReturnValue(thrown, CKR.USER_ALREADY_LOGGED_IN)) return session;
    closeQuietly(session);
    throw explainRefusal(thrown, name);
  }
  return session;
}

/** A read/write session of the logged-in user. `locked` where the token has forgotten the login. */
export function openLoggedInSession(found: FoundToken): Session {
  const session = openSession(found);
  if (session.state === CKS_RW_USER_FUNCTIONS) return session;
  closeQuietly(session);
  throw new AgentError(
    'locked',
    `${describeToken(found.token)} has ended the login (it was reset, or taken out); it needs its PIN again`,
  );
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

function explainRefusal(thrown: unknown, name: string): Error {
  const value = returnValueOf(thrown);
  if (isReturnValue(thrown, CKR.PIN_INCORRECT, CKR.PIN_INVALID, CKR.PIN_LEN_RANGE)) {
    return new AgentError(
      'locked',
      `${name} refused the PIN (${nameOfReturnValue(value ?? 0)}); it was tried once and is not tried again`,
      { cause: thrown },
    );
  }
  return translate(thrown, `log in to ${name}`);
}
