import type { Principal } from '../api/principal.ts';
import type { AuditEvent } from './audit.ts';

/** A window, milliseconds. What is counted in it stands in one record behind it. */
const windowLength = 60_000;
/** Refusals of a user that have a record of their own within a window, over all methods and kinds. */
const mostWritten = 60;
/**
 * Of all callers without a scope together: whoever has 65,536 subordinate uids is one person. With the longest record
 * and the one that counts the others, they come to some 20 MB a day.
 */
const mostOfStrangers = 4;
/** Users beyond so many share one budget. */
const mostShares = 256;
/** What is named in a record that stands for others; the rest is counted. */
const mostNamed = 6;
/** Callers of a window that are told apart. */
const mostCallers = 1000;

/** Many refusals, or many equal operations, to be written as one record. */
export interface FoldedRecords {
  /** The last of them; where they differ, its reason says what they are, and it names no caller of several. */
  readonly event: AuditEvent;
  readonly count: number;
}

interface Window {
  readonly since: number;
  written: number;
  folded: number;
  readonly kinds: Map<string, number>;
  readonly callers: Map<string, number>;
  last: AuditEvent;
}

/** Keeps whoever is refused, or does the same, all the time from filling the disk with it. */
export class RecordFolding {
  readonly #windows = new Map<string, Window>();

  /** Whether no window is open. */
  get isEmpty(): boolean {
    return this.#windows.size === 0;
  }

  /** True: the event is counted, and not to be written. `now` is on the monotonic clock, milliseconds. */
  fold(event: AuditEvent, now: number): boolean {
    const budget = this.#budgetOf(event);
    if (budget === null) return false;
    const { name, most } = budget;
    const window = this.#windows.get(name) ?? open(event, now);
    this.#windows.set(name, window);
    if (event.repeats !== 'counted' && window.written < most && !isTold(event, window)) {
      window.written += 1;
      if (isFlood(event)) window.kinds.set(kindOf(event), 0);
      return false;
    }
    window.folded += 1;
    window.last = event;
    count(window.kinds, kindOf(event));
    const share = event.caller?.share ?? '';
    const isKnown = window.callers.has(share) || window.callers.size < mostCallers;
    count(window.callers, isKnown ? share : 'more users');
    return true;
  }

  /** Closes the windows whose time is over, or all of them, and answers what was counted in them. */
  close(now: number): readonly FoldedRecords[] {
    const closed: FoldedRecords[] = [];
    for (const [name, window] of this.#windows) {
      if (now - window.since < windowLength) continue;
      this.#windows.delete(name);
      if (window.folded > 0) closed.push({ event: summary(window), count: window.folded });
    }
    return closed;
  }

  /** Null: an event that always has a record of its own. */
  #budgetOf(event: AuditEvent): { readonly name: string; readonly most: number } | null {
    const { caller, principal, outcome, kind, method, subject } = event;
    if (caller === null) return null;
    const isStranger = principal === null || principal.scope === 'none';
    if (outcome === 'refused' && kind !== null) {
      if (isStranger) return { name: 'refused', most: mostOfStrangers };
      return { name: this.#shared(`refused ${caller.share}`), most: mostWritten };
    }
    // By the credential and not by the user: one key that leaked is used from as many users as there are.
    const who = principal?.api_key === undefined ? caller.share : `key ${principal.api_key}`;
    if (outcome === 'done' && event.repeats === 'folded') {
      return { name: `done ${who} ${method} ${subject ?? ''}`, most: 1 };
    }
    return null;
  }

  #shared(name: string): string {
    return this.#windows.has(name) || this.#windows.size < mostShares ? name : 'refused others';
  }
}

function open(event: AuditEvent, now: number): Window {
  return {
    since: now,
    written: 0,
    folded: 0,
    kinds: new Map(),
    callers: new Map(),
    last: event,
  };
}

/** Who is refused for sending too much does it often: once is enough. */
function isFlood({ kind }: AuditEvent): boolean {
  return kind === 'rate_limited' || kind === 'overloaded';
}

function isTold(event: AuditEvent, { kinds }: Window): boolean {
  return isFlood(event) && kinds.has(kindOf(event));
}

function kindOf({ method, kind }: AuditEvent): string {
  return kind === null ? method : `${method} (${kind})`;
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function summary({ last, kinds, callers }: Window): AuditEvent {
  const event = { ...last, messages: [] };
  const counted = new Map([...kinds].filter(([, times]) => times > 0));
  const isOneCaller = callers.size === 1;
  if (counted.size === 1 && isOneCaller) return event;
  const reason = [
    named(counted, ([name, times]) => `${times} ${name}`),
    ...(isOneCaller ? [] : [`by ${named(callers, ([share, times]) => `${share} (${times})`)}`]),
  ].join('; ');
  if (isOneCaller) return { ...event, subject: null, reason };
  const subject = counted.size === 1 ? last.subject : null;
  return { ...event, caller: null, principal: severalOf(last), subject, reason };
}

/** No process of this machine is named: they are in the reason. */
function severalOf({ principal }: AuditEvent): Principal {
  const nobody = { name: '', uid: null, pid: null } as const;
  if (principal?.kind === 'api_key') return { ...principal, ...nobody };
  return { kind: 'network', ...nobody, scope: 'none' };
}

/** The most frequent ones, and how many others there are. */
function named(
  counts: ReadonlyMap<string, number>,
  text: (entry: readonly [string, number]) => string,
): string {
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  const rest = sorted.length - mostNamed;
  const first = sorted.slice(0, mostNamed).map(text).join(', ');
  return rest > 0 ? `${first} and ${rest} others` : first;
}
