/**
 * RFC 3339 times as other programs write them: up to nine fractional digits, `Z` or an offset. A year beyond 9999 is
 * read with its sign, as ISO 8601 expands it: that is how libraries write the last time that they know of, where a
 * program means that there is no end. A time that came from a file is kept as its text; only comparisons go through {@link Instant}.
 */

/** A point in time; `nanos` is what `ms` leaves over, so that nanosecond texts compare exactly. */
export interface Instant {
  /** Milliseconds since the Unix epoch, whole. */
  readonly ms: number;
  /** Nanoseconds beyond `ms`, 0 to 999,999. */
  readonly nanos: number;
}

const form =
  /^(\d{4}|\+\d{5,6})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;

/** The last moment that RFC 3339 itself has a text for, milliseconds since the epoch. */
const lastTime = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Whether nobody will see that moment: somebody wrote it to say that there is no end. */
export function isNoEnd({ ms }: Instant): boolean {
  return ms > lastTime;
}

/** Parses RFC 3339 (section 5.6); null where the text is no such time or no such day exists. */
export function parseTime(text: string): Instant | null {
  const match = form.exec(text);
  if (match === null) return null;
  const field = (index: number): number => Number(match[index] ?? '0');
  const [year, month, day] = [field(1), field(2), field(3)];
  const [hour, minute, second] = [field(4), field(5), field(6)];
  const [offsetHour, offsetMinute] = [field(10), field(11)];
  // A leap second is the first of the next minute here, as for every clock that counts POSIX time.
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // Also where the year is beyond those that a Date can have: its month is NaN then.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  date.setUTCHours(hour, minute, second);
  const fraction = Number((match[7] ?? '').padEnd(9, '0'));
  const offset = (match[9] === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute) * 60_000;
  return {
    ms: date.getTime() - offset + Math.floor(fraction / 1_000_000),
    nanos: fraction % 1_000_000,
  };
}

/** Negative, zero or positive as `a` is before, at or after `b`. */
export function compareTimes(a: Instant, b: Instant): number {
  return a.ms === b.ms ? a.nanos - b.nanos : a.ms - b.ms;
}

/** True from the instant on: `now >= instant`. `now` is milliseconds since the epoch. */
export function hasCome(instant: Instant, now: number): boolean {
  return compareTimes({ ms: now, nanos: 0 }, instant) >= 0;
}

/** Milliseconds since the epoch as RFC 3339 in UTC, with milliseconds. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}
