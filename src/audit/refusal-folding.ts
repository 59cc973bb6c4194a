import type { ErrorKind } from '../base/errors.ts';
import type { AuditEvent } from './audit.ts';

/** Refusals of one user, method and kind that are written within a second; further ones are counted. */
const mostWritten = 10;
/** Who is refused for sending too much does it often. */
const mostWrittenOf: Partial<Readonly<Record<ErrorKind, number>>> = {
  rate_limited: 1,
  overloaded: 1,
};
/** Milliseconds. */
const windowLength = 1000;

/** Many equal refusals, to be written as one record. */
export interface FoldedRefusals {
  /** The last of them. */
  readonly event: AuditEvent;
  readonly count: number;
}

interface Window {
  readonly since: number;
  written: number;
  folded: number;
  last: AuditEvent;
}

/** Keeps whoever is refused all the time from filling the disk with it. */
export class RefusalFolding {
  readonly #windows = new Map<string, Window>();

  /** Whether no second is under way. */
  get isEmpty(): boolean {
    return this.#windows.size === 0;
  }

  /** True: the event is counted, and not to be written. `now` is on the monotonic clock, milliseconds. */
  fold(event: AuditEvent, now: number): boolean {
    const { caller, method, outcome, kind } = event;
    if (outcome !== 'refused' || caller === null || kind === null) return false;
    const name = `${caller.share} ${kind} ${method}`;
    const window = this.#windows.get(name);
    if (window === undefined) {
      this.#windows.set(name, { since: now, written: 1, folded: 0, last: event });
      return false;
    }
    if (window.written < (mostWrittenOf[kind] ?? mostWritten)) {
      window.written += 1;
      return false;
    }
    window.folded += 1;
    window.last = event;
    return true;
  }

  /** Closes the windows whose second is over, or all of them, and answers what was folded in them. */
  close(now: number): readonly FoldedRefusals[] {
    const closed: FoldedRefusals[] = [];
    for (const [name, { since, folded, last }] of this.#windows) {
      if (now - since < windowLength) continue;
      this.#windows.delete(name);
      if (folded > 0) closed.push({ event: { ...last, messages: [] }, count: folded });
    }
    return closed;
  }
}
