import { compareTimes, parseTime } from '../../base/rfc3339.ts';
import type { Keystore } from './keystore-format.ts';

/** Corrections of a clock stay below it, milliseconds. */
const noticeable = 60_000;

/**
 * The latest time that was ever seen does not go back with the keys: a clock that is set back brings nothing back,
 * before a restore and after it. `seen`: by what was there before.
 */
export function withLatestTime(
  bytes: Buffer,
  document: Keystore,
  seen: string | undefined,
): Buffer {
  if (seen === undefined) return bytes;
  const [before, after] = [parseTime(seen), parseTime(document.latest_time ?? '')];
  if (before === null || (after !== null && compareTimes(after, before) >= 0)) return bytes;
  return Buffer.from(`${JSON.stringify({ ...document, latest_time: seen }, null, 2)}\n`, 'utf8');
}

/** The last of these times, where it is later than `now`, milliseconds since the epoch. */
export function aheadOf(now: number, times: readonly (string | undefined)[]): string | null {
  const ms = (time: string): number => parseTime(time)?.ms ?? -Infinity;
  const known = times.filter((time) => time !== undefined);
  const [latest] = known.sort((one, other) => ms(other) - ms(one));
  return latest !== undefined && ms(latest) - now > noticeable ? latest : null;
}
