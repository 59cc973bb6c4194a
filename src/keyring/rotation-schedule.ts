import type { NextChange } from '../api/status.ts';
import { compareTimes, formatTime, parseTime, type Instant } from '../base/rfc3339.ts';
import { activeKey } from './lifecycle.ts';
import type { KeyringState } from '../vault/key-records.ts';

/**
 * When a keyring changes by itself, without a clock:
 *
 *   active since ──────── every ────────► end: the prepared key becomes active, this one goes into grace
 *                   prepublish before it ─┘    the next key is prepared
 *
 * Every change is decided on one active key and counts from when that one became active. So what was missed is made
 * up once: after a stop of ten periods one key is prepared and activated, and its period starts then.
 */
export interface RotationPolicy {
  /** How long a key is used, seconds. */
  readonly everySeconds: number;
  /** How long before its end the next key is published, seconds. */
  readonly prepublishSeconds: number;
  /** How long a replaced key stays valid, seconds. */
  readonly graceSeconds: number;
}

export interface ScheduledChange {
  readonly what: 'prepare' | 'activate' | 'prune';
  /** Milliseconds since the epoch; it may have passed. */
  readonly at: number;
  /** The active key that it was decided on; to be pruned: the key whose grace ends first. */
  readonly kid: string;
}

/** The change that comes first. Throws where there is no active key. */
export function nextChange(state: KeyringState, policy: RotationPolicy): ScheduledChange {
  const rotation = nextRotationStep(state, policy);
  const prune = nextPrune(state);
  return prune !== null && prune.at < rotation.at ? prune : rotation;
}

/** What the rotation of the active key needs next. */
export function nextRotationStep(state: KeyringState, policy: RotationPolicy): ScheduledChange {
  const { kid } = activeKey(state);
  const end = nextRotation(state, policy);
  return state.prepared === null
    ? { what: 'prepare', at: end - policy.prepublishSeconds * 1000, kid }
    : { what: 'activate', at: end, kid };
}

/**
 * When the active key is replaced, milliseconds since the epoch: at the end of its period, or sooner where the
 * prepared key was published for an earlier time. A key that an operator prepared is the next one like any other;
 * a later time of its own does not hold the end up, since no key is used for longer than was configured.
 */
export function nextRotation(state: KeyringState, { everySeconds }: RotationPolicy): number {
  const end = activeSince(state) + everySeconds * 1000;
  const announced = state.prepared?.activatesAt ?? null;
  return announced === null ? end : Math.min(end, msOf(parseTime(announced)));
}

/** An activation of another kid was another program's rotation, which wrote down no time but that of its key. */
function activeSince(state: KeyringState): number {
  const { kid, createdAt } = activeKey(state);
  const since = state.activated?.kid === kid ? state.activated.at : createdAt;
  return msOf(parseTime(since));
}

function nextPrune(state: KeyringState): ScheduledChange | null {
  const ends = [...state.graceUntil].flatMap(([kid, until]) => {
    const end = parseTime(until);
    const inUse = kid === state.active || kid === state.prepared?.kid;
    return end === null || inUse ? [] : [{ kid, end }];
  });
  const first = ends.toSorted((a, b) => compareTimes(a.end, b.end))[0];
  if (first === undefined) return null;
  return { what: 'prune', at: first.end.ms + (first.end.nanos > 0 ? 1 : 0), kid: first.kid };
}

/** For people and the wire. */
export function changeView({ what, at }: ScheduledChange): NextChange {
  return { what, at: formatTime(at) };
}

/** Times of records were checked when they were read. */
function msOf(instant: Instant | null): number {
  if (instant === null) throw new Error('a key record has a time that is none');
  return instant.ms;
}

/** The longest that a change is put off by chance, so that many agents do not act in the same moment: milliseconds. */
export function largestJitter({ everySeconds }: Pick<RotationPolicy, 'everySeconds'>): number {
  return Math.min(60_000, everySeconds * 10);
}
