import { AgentError } from '../../base/errors.ts';

/** What gives a keyring its PIN, to be named in messages. */
export function unlockCommand(keyring: string): string {
  return `agentctl unlock --keyring ${keyring}`;
}

/** `because` completes "the keyring is locked: ...". */
export function lockedError(keyring: string, because: string, cause?: unknown): AgentError {
  return new AgentError(
    'locked',
    `keyring ${keyring} is locked: ${because}: ${unlockCommand(keyring)}`,
    { cause },
  );
}

/** The same with what unlocks the keyring, where a vault's own words do not say it. */
export function asLocked(keyring: string, failure: { readonly message: string }): AgentError {
  return failure.message.includes(unlockCommand(keyring))
    ? new AgentError('locked', failure.message, { cause: failure })
    : lockedError(keyring, failure.message, failure);
}

export function isLocked(failure: unknown): failure is AgentError {
  return failure instanceof AgentError && failure.kind === 'locked';
}
