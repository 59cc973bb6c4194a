import { AgentError } from '../../base/errors.ts';
import { TpmFormatError } from '../../formats/tpm/bytes.ts';
import { commandName } from '../../formats/tpm/constants.ts';
import { describeCode, isStale, plainCode, RC } from '../../formats/tpm/response-codes.ts';

/** A TPM refused a command. It stays inside of this folder: `translate` makes an AgentError of it. */
export class TpmError extends Error {
  override readonly name = 'TpmError';
  readonly command: number;
  /** TPM_RC */
  readonly code: number;

  constructor(command: number, code: number) {
    super(`${commandName(command)}: ${describeCode(code)}`);
    this.command = command;
    this.code = code;
  }
}

/** An answer that is not of the TPM that the session was begun with: somebody stands between. */
export class TpmForged extends Error {
  override readonly name = 'TpmForged';
}

/** Whether a TPM answered with one of these codes (RC, without numbers). */
export function isCode(thrown: unknown, ...codes: readonly number[]): thrown is TpmError {
  return thrown instanceof TpmError && codes.includes(plainCode(thrown.code));
}

export function isStaleError(thrown: unknown): thrown is TpmError {
  return thrown instanceof TpmError && isStale(thrown.code);
}

/** Ends the lockout of an owner who has set no lockout password. */
const lockoutCommand = 'tpm2_dictionarylockout --clear-lockout';

interface Meaning {
  readonly kind: AgentError['kind'];
  readonly text: string;
}

/** What each code means to callers; a code that is not here is `backend_unavailable` with its name. */
const meanings: Readonly<Record<number, Meaning>> = {
  [RC.LOCKOUT]: {
    kind: 'locked',
    text: `the TPM is in lockout after too many wrong PINs, of whatever program: wait, or end it with ${lockoutCommand}`,
  },
  [RC.BAD_AUTH]: {
    kind: 'backend_unavailable',
    text: 'the TPM refused an authorisation, or what it was sent was changed on the way',
  },
  [RC.AUTH_FAIL]: {
    kind: 'backend_unavailable',
    text: 'the TPM refused an authorisation, or what it was sent was changed on the way',
  },
  [RC.INITIALIZE]: {
    kind: 'backend_unavailable',
    text: 'the TPM was not started up, which the firmware does, and tpm2_startup -c for an emulator',
  },
  [RC.FAILURE]: {
    kind: 'backend_unavailable',
    text: 'the TPM failed its self-test, and does nothing until the machine was off and on',
  },
  [RC.INTEGRITY]: {
    kind: 'backend_unavailable',
    text:
      'the TPM says that this blob was altered, or is of another storage root key: where the TPM was changed or cleared ' +
      'while the agent ran, start the agent again, which says what brings the keys back; else put the file back from a copy',
  },
  [RC.CURVE]: { kind: 'not_supported', text: 'the TPM has no P-256' },
};

/** `doing` completes "the TPM could not ...". What is no error of a TPM is answered as it is. */
export function translate(thrown: unknown, doing: string): unknown {
  if (thrown instanceof TpmForged) {
    return new AgentError(
      'backend_unavailable',
      `the TPM could not ${doing}: ${thrown.message}. Something between this program and the TPM changes what they say`,
      { cause: thrown },
    );
  }
  if (thrown instanceof TpmFormatError) {
    return new AgentError('backend_unavailable', `the TPM could not ${doing}: ${thrown.message}`, {
      cause: thrown,
    });
  }
  if (!(thrown instanceof TpmError)) return thrown;
  const { kind, text } = meanings[plainCode(thrown.code)] ?? {
    kind: 'backend_unavailable',
    text: `the TPM could not ${doing}`,
  };
  return new AgentError(kind, `${text} (${thrown.message})`, { cause: thrown });
}
