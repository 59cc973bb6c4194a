import { AgentError } from '../base/errors.ts';
import { asLocked } from '../vault/pins/locked.ts';

/** A keyring of the configuration, or the CA, as it is at present. */
export interface OpenEntry<T> {
  readonly keyring: T;
}

/** Locked where the failure's kind is; then, and where `retryAt` is null, it is not tried by itself. */
export interface ClosedEntry {
  readonly failure: AgentError;
  readonly at: string;
  /** Milliseconds since the epoch. */
  readonly retryAt: number | null;
}

/** What is answered instead of a keyring that is not open. */
export function closedError(
  name: string,
  { failure, retryAt }: ClosedEntry,
  now: number,
): AgentError {
  if (failure.kind === 'locked') return asLocked(name, failure);
  const details = retryAt === null ? {} : { retry_after_ms: Math.max(1, retryAt - now) };
  return new AgentError(failure.kind, `keyring ${name} is not open: ${failure.message}`, {
    details,
  });
}
