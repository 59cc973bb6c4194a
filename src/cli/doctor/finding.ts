import { AgentError, describeFailure } from '../../errors.ts';

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
export function lookedAt(subject: string, look: () => Finding): Finding {
  try {
    return look();
  } catch (thrown) {
    if (!(thrown instanceof AgentError)) throw thrown;
    return failure(subject, describeFailure(thrown));
  }
}
