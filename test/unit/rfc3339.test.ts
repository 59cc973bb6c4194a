import { expect, test } from 'vitest';
import { compareTimes, formatTime, hasCome, isNoEnd, parseTime } from '../../src/base/rfc3339.ts';

test('reads what other programs write', () => {
  const base = Date.UTC(2026, 4, 14, 17, 55);
  expect(parseTime('2026-05-14T17:55:00Z')).toEqual({ ms: base, nanos: 0 });
  expect(parseTime('2026-05-14T17:55:00+00:00')).toEqual({ ms: base, nanos: 0 });
  expect(parseTime('2026-05-14T19:25:00+01:30')).toEqual({ ms: base, nanos: 0 });
  expect(parseTime('2026-05-14T12:55:00.5-05:00')).toEqual({ ms: base + 500, nanos: 0 });
  expect(parseTime('2026-05-14T17:55:00.123456789Z')).toEqual({ ms: base + 123, nanos: 456_789 });
  expect(parseTime('2016-12-31T23:59:60Z')?.ms).toBe(Date.UTC(2017, 0, 1)); // a leap second
  // The last times that chrono and java.time know, which programs write for "no end".
  const last = parseTime('+262142-12-31T23:59:59.999999999Z');
  expect(last).toEqual({ ms: Date.parse('+262142-12-31T23:59:59.999Z'), nanos: 999_999 });
  expect(isNoEnd(last ?? { ms: 0, nanos: 0 })).toBe(true);
  expect(isNoEnd({ ms: Date.UTC(9999, 11, 31, 23, 59, 59, 999), nanos: 0 })).toBe(false);
  expect(parseTime('2024-02-29T00:00:00Z')?.ms).toBe(Date.UTC(2024, 1, 29));
});

test.each([
  '',
  'now',
  '2026-05-14',
  '2026-05-14T17:55:00',
  '2026-05-14 17:55:00Z',
  '2026-13-01T00:00:00Z',
  '12026-01-01T00:00:00Z',
  '+2026-01-01T00:00:00Z',
  '+275761-01-01T00:00:00Z',
  '-00001-01-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2025-02-29T00:00:00Z',
  '2026-00-10T00:00:00Z',
  '2026-05-14T24:00:00Z',
  '2026-05-14T17:60:00Z',
  '2026-05-14T17:55:00.1234567890Z',
  '2026-05-14T17:55:00+24:00',
  ' 2026-05-14T17:55:00Z',
])('refuses %j', (text) => {
  expect(parseTime(text)).toBeNull();
});

test('compares to the nanosecond', () => {
  const early = parseTime('2026-05-14T17:55:00.000000001Z');
  const late = parseTime('2026-05-14T17:55:00.000000002Z');
  if (early === null || late === null) throw new Error('both are times');
  expect(compareTimes(early, late)).toBeLessThan(0);
  expect(hasCome(early, early.ms)).toBe(false); // a nanosecond is missing
  expect(hasCome(early, early.ms + 1)).toBe(true);
  expect(hasCome({ ms: 5, nanos: 0 }, 5)).toBe(true);
});

test('writes UTC with milliseconds', () => {
  expect(formatTime(Date.UTC(2026, 4, 14, 17, 55, 0, 7))).toBe('2026-05-14T17:55:00.007Z');
});
