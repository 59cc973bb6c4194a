import { AgentError, describeFailure, errnoName } from './errors.ts';

/** What one look found. `text` says it, and for what is not well the remedy too. */
export interface Finding {
  /** What was looked at, such as `socket` or `prod: token`. */
  readonly subject: string;
  readonly state: 'ok' | 'warning' | 'failure';
  readonly text: string;
}

export function ok(subject: string, text: string): Finding {
  return { subject, state: 'ok', text };
}

/** Works, or will, but not as one would want it. */
export function warning(subject: string, text: string): Finding {
  return { subject, state: 'warning', text };
}

/** The agent does not start with it, or refuses requests. */
export function failure(subject: string, text: string): Finding {
  return { subject, state: 'failure', text };
}

/** The finding of a look that throws what is wrong, with its remedy. */
export function inspected(subject: string, look: () => Finding): Finding {
  try {
    return look();
  } catch (thrown) {
    return failureOf(subject, thrown);
  }
}

/** What was thrown by a look as its finding. A system call that fails is one too; any other error is a bug. */
export function failureOf(subject: string, thrown: unknown): Finding {
  const text = describeFailure(thrown);
  if (thrown instanceof AgentError) {
    const errno = errnoName(thrown.cause);
    return failure(subject, isForbidden(errno) ? `${text}: ${asItsUser}` : text);
  }
  const errno = errnoName(thrown);
  if (errno === null || !/^E[A-Z0-9]+$/.test(errno)) throw thrown;
  const remedy = isForbidden(errno)
    ? asItsUser
    : 'make sure of the path, and of the file system under it';
  return failure(subject, `${text}: ${remedy}`);
}

const asItsUser = "run doctor as the agent's user";

function isForbidden(errno: string | null): boolean {
  return errno === 'EACCES' || errno === 'EPERM';
}
