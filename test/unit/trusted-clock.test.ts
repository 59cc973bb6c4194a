import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TrustedClock } from '../../src/keyring/trusted-clock.ts';
import { capturedLog } from '../support/captured-log.ts';
import { Clock } from '../support/world.ts';

const start = Date.UTC(2026, 0, 1);
const iso = (ms: number): string => new Date(ms).toISOString();

function subject(clock = new Clock(start)) {
  const { log, lines } = capturedLog();
  const trusted = new TrustedClock(
    { now: clock.now, monotonicNow: clock.monotonicNow, log },
    'default',
  );
  return { clock, lines, trusted, at: (latestTime: string | null) => trusted.now({ latestTime }) };
}

test('is the clock as long as that goes on', () => {
  const { clock, lines, at } = subject();
  expect(at(null)).toBe(start);
  clock.advance(5);
  expect(at(iso(start))).toBe(start + 5000);
  clock.set(3600);
  expect(at(null)).toBe(start + 3_605_000);
  expect(lines).toEqual([]);
});

test('neither stands still nor goes back where the clock was set back, and says so once', () => {
  const { clock, lines, at } = subject();
  at(null);
  clock.set(-3600);
  expect(at(null)).toBe(start);
  clock.advance(10);
  expect(at(null)).toBe(start + 10_000);
  clock.set(-3600);
  expect(at(null)).toBe(start + 10_000);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    level: 40,
    keyring: 'default',
    clock: iso(start - 3_600_000),
    latest_time: iso(start),
  });
  clock.set(10_000);
  expect(at(null)).toBe(clock.now());
  clock.set(-100);
  at(null);
  expect(lines).toHaveLength(2);
});

test('time that passed while nobody asked is not lost with the clock', () => {
  const { clock, at } = subject();
  at(null);
  clock.set(-1800);
  clock.advance(3600);
  expect(clock.now()).toBe(start + 1_800_000);
  expect(at(null)).toBe(start + 3_600_000);
});

test('a correction of less than a second is not worth a line', () => {
  const { clock, lines, at } = subject();
  at(null);
  clock.set(-0.9);
  expect(at(null)).toBe(start);
  expect(lines).toEqual([]);
});

test('is never before what the records have seen: after a restart, and by another agent', () => {
  const { clock, at } = subject();
  const recorded = iso(start + 60_000);
  expect(at(recorded)).toBe(start + 60_000);
  clock.advance(10);
  expect(at(recorded)).toBe(start + 70_000);
  expect(at(iso(start + 300_000))).toBe(start + 300_000);
  expect(at(null)).toBe(start + 300_000);
  expect(at('2026-01-01T01:00:00.000000001Z')).toBe(start + 3_600_001);
});

test('parts of milliseconds add up', () => {
  const elapsed = { now: 0 };
  const wall = { now: start };
  const { log } = capturedLog();
  const world = { now: () => wall.now, monotonicNow: () => elapsed.now, log };
  const trusted = new TrustedClock(world, 'default');
  trusted.now({ latestTime: null });
  wall.now -= 60_000;
  for (let call = 0; call < 1000; call += 1) {
    elapsed.now += 0.25;
    trusted.now({ latestTime: null });
  }
  expect(trusted.now({ latestTime: null })).toBe(start + 250);
});

test('whatever is done to the clock and the records, it never goes back and is never before either', () => {
  const step = fc.record({
    advance: fc.integer({ min: 0, max: 10_000 }),
    set: fc.integer({ min: -100_000, max: 100_000 }),
    recorded: fc.option(fc.integer({ min: -100_000, max: 100_000 })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const { clock, at } = subject();
      let before = at(null);
      for (const { advance, set, recorded } of steps) {
        clock.advance(advance);
        clock.set(set);
        const latest = recorded === null ? null : start + recorded * 1000;
        const now = at(latest === null ? null : iso(latest));
        expect(now).toBeGreaterThanOrEqual(Math.max(before, clock.now(), latest ?? 0));
        expect(now).toBeGreaterThanOrEqual(clock.now());
        before = now;
      }
    }),
  );
});
