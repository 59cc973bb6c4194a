import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rates, type RateLimit } from '../../src/access/rates.ts';
import { AgentError } from '../../src/base/errors.ts';

/** Milliseconds, moved by hand; it starts where a machine that has run for long is. */
class Hand {
  now = 12_345_678.901;
  readonly monotonicNow = (): number => this.now;
}

function limit(perSecond: number, name = 'uid 1'): RateLimit {
  return { name, who: name, perSecond, of: 'signatures' };
}

/** Milliseconds to wait; null where the signatures were let through. */
function waitOf(rates: Rates, signatures: number, ...limits: RateLimit[]): number | null {
  try {
    rates.take(signatures, limits);
    return null;
  } catch (failure) {
    if (!(failure instanceof AgentError)) throw failure;
    expect(failure.kind).toBe('rate_limited');
    const wait = failure.details['retry_after_ms'];
    if (typeof wait !== 'number') throw new Error('it does not say when', { cause: failure });
    expect(failure.message).toContain(`try again in ${wait} ms`);
    return wait;
  }
}

test("a second's signatures at once, and then one for each of its parts", () => {
  const hand = new Hand();
  const rates = new Rates(hand.monotonicNow);
  for (let count = 0; count < 3; count += 1) expect(waitOf(rates, 1, limit(3))).toBeNull();
  expect(waitOf(rates, 1, limit(3))).toBe(335);
  hand.now += 332;
  expect(waitOf(rates, 1, limit(3))).toBe(3);
  hand.now += 2;
  expect(waitOf(rates, 1, limit(3))).toBeNull();
  expect(waitOf(rates, 1, limit(3))).toBeGreaterThan(300);
  hand.now += 3_600_000; // a long rest saves no more than a second's
  for (let count = 0; count < 3; count += 1) expect(waitOf(rates, 1, limit(3))).toBeNull();
  expect(waitOf(rates, 1, limit(3))).not.toBeNull();
});

test('a batch longer than the limit waits for a full bucket, and is paid off before the next', () => {
  const hand = new Hand();
  const rates = new Rates(hand.monotonicNow);
  expect(waitOf(rates, 25, limit(10))).toBeNull();
  expect(waitOf(rates, 1, limit(10))).toBe(1601);
  hand.now += 1600;
  expect(waitOf(rates, 25, limit(10))).toBe(901);
  expect(waitOf(rates, 1, limit(10))).toBeNull();
});

test('of several limits it takes of all or of none, and says the longest wait', () => {
  const hand = new Hand();
  const rates = new Rates(hand.monotonicNow);
  const [wide, narrow] = [limit(10, 'uid 1'), limit(2, 'key ci')];
  expect(waitOf(rates, 2, wide, narrow)).toBeNull();
  for (let count = 0; count < 50; count += 1) {
    expect(waitOf(rates, 1, wide, narrow)).toBe(501);
    expect(waitOf(rates, 1, narrow, wide)).toBe(501);
  }
  // What was refused was not taken of the wide one.
  expect(waitOf(rates, 8, wide)).toBeNull();
  expect(waitOf(rates, 10, wide, narrow)).toBe(1001);
});

test('names are limited one by one, and no limit is none', () => {
  const rates = new Rates(() => 0);
  expect(waitOf(rates, 5, limit(5, 'uid 1'))).toBeNull();
  expect(waitOf(rates, 5, limit(5, 'uid 2'))).toBeNull();
  expect(waitOf(rates, 1, limit(5, 'uid 1'))).not.toBeNull();
  for (let count = 0; count < 1000; count += 1) expect(waitOf(rates, 256)).toBeNull();
});

test('a limit that is lowered counts from then on', () => {
  const hand = new Hand();
  const rates = new Rates(hand.monotonicNow);
  expect(waitOf(rates, 1, limit(100))).toBeNull();
  expect(waitOf(rates, 1, limit(1))).toBe(11);
  hand.now += 11;
  expect(waitOf(rates, 1, limit(1))).toBeNull();
  expect(waitOf(rates, 1, limit(1))).toBe(1001);
});

test('however many names there were, nobody is forgiven what he owes', () => {
  const hand = new Hand();
  const rates = new Rates(hand.monotonicNow);
  rates.take(256, [limit(1, 'in debt')]);
  hand.now += 61_000;
  for (let uid = 0; uid < 10_000; uid += 1) rates.take(1, [limit(1, `uid ${uid}`)]);
  expect(waitOf(rates, 1, limit(1, 'in debt'))).toBe(195_001);
  expect(waitOf(rates, 1, limit(1, 'uid 9999'))).toBe(1001);
});

/** Attempts at any moment, of any size. */
const attempts = fc.array(
  fc.record({
    after: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 3000, noNaN: true })),
    signatures: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 256 })),
  }),
  { maxLength: 200 },
);

test('never more than the rate times the time and one second of it, or one batch', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), attempts, (perSecond, tries) => {
      const hand = new Hand();
      const rates = new Rates(hand.monotonicNow);
      const made: { at: number; signatures: number }[] = [];
      for (const { after, signatures } of tries) {
        hand.now += after;
        if (waitOf(rates, signatures, limit(perSecond)) !== null) continue;
        made.push({ at: hand.now, signatures });
      }
      const largest = Math.max(perSecond, ...made.map(({ signatures }) => signatures));
      for (const [from, first] of made.entries()) {
        let sum = 0;
        for (const { at, signatures } of made.slice(from)) {
          sum += signatures;
          const most = (perSecond * (at - first.at)) / 1000 + largest;
          expect(sum).toBeLessThanOrEqual(most + perSecond * 1e-5);
        }
      }
    }),
  );
});

test('whoever waits as long as he was told is let through', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 1, max: 1000 }),
      attempts,
      (ofUid, ofKey, tries) => {
        const hand = new Hand();
        const rates = new Rates(hand.monotonicNow);
        const limits = [limit(ofUid, 'uid 1'), limit(ofKey, 'key ci')];
        for (const { after, signatures } of tries) {
          hand.now += after;
          const wait = waitOf(rates, signatures, ...limits);
          if (wait === null) continue;
          expect(wait).toBeGreaterThan(0);
          hand.now += wait;
          expect(waitOf(rates, signatures, ...limits)).toBeNull();
        }
      },
    ),
  );
});
