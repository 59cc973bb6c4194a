import { compareTimes, formatTime, hasCome, parseTime } from '../base/rfc3339.ts';
import { statusOf } from './lifecycle.ts';
import type { KeyringState } from '../vault/key-records.ts';

/**
 * While a key depends on the time, it is written down this often at least, milliseconds: hourly, and for short graces
 * each twentieth of what is left. A kill and a clock that is set back win no more than that.
 */
const keptEvery = 3_600_000;
const shareOfGrace = 20;
const keptAtMostEvery = 2000;

/** The state as it is saved at `now` (milliseconds since the epoch): its latest time never goes back. */
export function withLatestTime(state: KeyringState, now: number): KeyringState {
  const before = state.latestTime === null ? null : parseTime(state.latestTime);
  if (before !== null && compareTimes(before, { ms: now, nanos: 0 }) >= 0) return state;
  return { ...state, latestTime: formatTime(now) };
}

/** Whether the records must learn what time it is, though nothing else of them changes. */
export function mustKeepTime(state: KeyringState, now: number): boolean {
  if (endedGrace(state, now).length > 0) return true;
  const depends = state.prepared !== null || hasGrace(state, now);
  return depends && now - msOf(state.latestTime) >= keepEvery(state, now);
}

function keepEvery(state: KeyringState, now: number): number {
  const ends = [...state.graceUntil]
    .filter(([kid]) => statusOf(state, kid, now) === 'grace')
    .map(([, until]) => msOf(until) - now);
  const soon = Math.min(...ends) / shareOfGrace;
  return Math.max(keptAtMostEvery, Math.min(keptEvery, soon));
}

/** The same at the end of an agent: nobody knows what the clock will say when the next one starts. */
export function mustKeepTimeAtEnd(state: KeyringState, now: number): boolean {
  return (
    endedGrace(state, now).length > 0 || (hasGrace(state, now) && msOf(state.latestTime) < now)
  );
}

/**
 * The same for a keystore file, which belongs to other programs too and is not rewritten without need: only where
 * a grace has ended since `opened`, or in a file that has such a time already.
 */
export function mustKeepTimeInFile(state: KeyringState, now: number, opened: number): boolean {
  return endedGrace(state, now).some((end) => state.latestTime !== null || end > opened);
}

/** The ends, as the clock has seen them and the records have not: set back, it would bring those keys back. */
function endedGrace(state: KeyringState, now: number): readonly number[] {
  const recorded = msOf(state.latestTime);
  return [...state.graceUntil]
    .filter(([kid]) => state.keys.has(kid) && kid !== state.active && kid !== state.prepared?.kid)
    .flatMap(([, until]) => {
      const end = parseTime(until);
      return end !== null && hasCome(end, now) && !hasCome(end, recorded) ? [end.ms] : [];
    });
}

function hasGrace(state: KeyringState, now: number): boolean {
  return [...state.graceUntil.keys()].some((kid) => statusOf(state, kid, now) === 'grace');
}

function msOf(time: string | null): number {
  return (time === null ? null : parseTime(time)?.ms) ?? -Infinity;
}
