import { isNoEnd, parseTime } from '../../base/rfc3339.ts';

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/**
 * A time for people, relative and absolute: `in 6d 23h (2026-05-21 17:55:00Z)`. `now` is milliseconds since
 * the epoch. A text that is no RFC 3339 time is answered as it is.
 */
export function when(time: string, now: number): string {
  const instant = parseTime(time);
  if (instant === null) return time;
  if (isNoEnd(instant)) return `no end (${time})`;
  const absolute = new Date(instant.ms).toISOString().replace('T', ' ').slice(0, 19);
  const seconds = Math.round((instant.ms - now) / 1000);
  const relative =
    seconds === 0 ? 'now' : seconds > 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`;
  return `${relative} (${absolute}Z)`;
}

/** Seconds in their two largest units: `6d 23h`. */
function span(seconds: number): string {
  const first = units.findIndex(([, size]) => seconds >= size);
  let rest = seconds;
  const parts: string[] = [];
  for (const [name, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${name}`);
  }
  return parts.join(' ');
}
