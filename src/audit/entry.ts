import type { AuditEventName } from './chain/record.ts';

/** What the log says of itself. */
export interface LogEvent {
  readonly event: AuditEventName;
  readonly reason: string | null;
  readonly repeated: number | null;
}

/** A record that waits to be written. */
export interface Entry {
  /** When it happened, milliseconds since the epoch. */
  readonly time: number;
  /** The text of an operation, or an event of the log itself. */
  readonly body: string | LogEvent;
  /** It happened and cannot be undone: it is written as soon as that works. */
  readonly isMandatory: boolean;
  /** It may be written into the space that is held in reserve. */
  readonly isUrgent: boolean;
  /** Whoever waits for it; both null where nobody does. */
  readonly resolve: ((seq: number) => void) | null;
  readonly reject: ((failure: unknown) => void) | null;
}

/** `isMandatory`: it is written later where it cannot be now, else it is let go. */
export function logEntry(
  time: number,
  event: LogEvent,
  { isMandatory } = { isMandatory: false },
): Entry {
  return { time, body: event, isMandatory, isUrgent: false, resolve: null, reject: null };
}
