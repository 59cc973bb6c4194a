import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  activate,
  activeKey,
  begin,
  expiredGrace,
  prepare,
  remove,
  revoke,
  statusOf,
} from '../../src/keyring/lifecycle.ts';
import { emptyState, type KeyRecord, type KeyringState } from '../../src/vault/key-records.ts';
import {
  largestJitter,
  nextChange,
  nextRotation,
  type RotationPolicy,
} from '../../src/keyring/rotation-schedule.ts';

const start = Date.UTC(2026, 0, 1);
const hour = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();
const policy: RotationPolicy = {
  everySeconds: 24 * 3600,
  prepublishSeconds: 2 * 3600,
  graceSeconds: 12 * 3600,
};
const key = (kid: string, createdAt = start): KeyRecord => ({
  kid,
  publicKey: new Uint8Array(Buffer.from(kid)),
  createdAt: iso(createdAt),
  objectId: `0${kid}`,
});
const one = begin(emptyState, key('a'));

describe('the next change', () => {
  test('is the preparation, then the activation, then the end of the grace', () => {
    expect(nextChange(one, policy)).toEqual({ what: 'prepare', at: start + 22 * hour, kid: 'a' });
    const prepared = prepare(one, key('b'), iso(start + 24 * hour));
    expect(nextChange(prepared, policy)).toEqual({
      what: 'activate',
      at: start + 24 * hour,
      kid: 'a',
    });
    const { state } = activate(prepared, key('b'), start + 24 * hour, policy.graceSeconds);
    expect(nextChange(state, policy)).toEqual({ what: 'prune', at: start + 36 * hour, kid: 'a' });
    expect(nextChange(remove(state, ['a']), policy)).toEqual({
      what: 'prepare',
      at: start + 46 * hour,
      kid: 'b',
    });
  });

  test('counts from when the key became active, not from when it was made', () => {
    const { state } = activate(one, key('b', start + hour), start + 20 * hour, 0);
    expect(nextRotation(state, policy)).toBe(start + 44 * hour);
    const replaced = revoke(one, 'a', iso(start + 3 * hour), null, key('b', start));
    expect(nextRotation(replaced, policy)).toBe(start + 27 * hour);
  });

  test("counts from the key's making where another program made it active, or nobody wrote it down", () => {
    const other: KeyringState = {
      ...one,
      keys: new Map([...one.keys, ['x', key('x', start + 5 * hour)]]),
      active: 'x',
    };
    expect(nextRotation(other, policy)).toBe(start + 29 * hour);
    expect(nextRotation({ ...one, activated: null }, policy)).toBe(start + 24 * hour);
  });

  test("keeps an operator's earlier time, and lets none hold up the end of the period", () => {
    const at = (time: number | null) =>
      nextChange(prepare(one, key('b'), time === null ? null : iso(time)), policy);
    expect(at(start + 3 * hour)).toMatchObject({ what: 'activate', at: start + 3 * hour });
    expect(at(start + 30 * hour)).toMatchObject({ what: 'activate', at: start + 24 * hour });
    expect(at(null)).toMatchObject({ what: 'activate', at: start + 24 * hour });
  });

  test('never prunes what is in use, and not a moment too soon', () => {
    const state: KeyringState = {
      ...prepare(one, key('b'), null),
      graceUntil: new Map([
        ['a', '2020-01-01T00:00:00Z'],
        ['b', '2020-01-01T00:00:00Z'],
        ['gone', '2026-01-01T00:00:01.000000001Z'],
      ]),
    };
    const change = nextChange(state, policy);
    expect(change).toEqual({ what: 'prune', at: start + 1001, kid: 'gone' });
    expect(expiredGrace(state, change.at)).toEqual(['gone']);
  });
});

test('jitter is a hundredth of the period, a minute at most', () => {
  expect(largestJitter({ everySeconds: 2 })).toBe(20);
  expect(largestJitter({ everySeconds: 3600 })).toBe(36_000);
  expect(largestJitter({ everySeconds: 86_400 })).toBe(60_000);
});

describe('followed by the clock', () => {
  /** Makes every change that is due, as the agent does; answers the kids that were replaced. */
  function follow(state: KeyringState, rules: RotationPolicy, now: number) {
    const replaced: string[] = [];
    for (
      let change = nextChange(state, rules);
      change.at <= now;
      change = nextChange(state, rules)
    ) {
      if (change.what === 'prune') state = remove(state, expiredGrace(state, now));
      if (change.what === 'prepare') {
        const kid = `k${state.keys.size}-${now}-${replaced.length}`;
        state = prepare(state, key(kid, now), iso(Math.max(now, nextRotation(state, rules))));
      }
      if (change.what === 'activate') {
        replaced.push(change.kid);
        const next = state.keys.get(state.prepared?.kid ?? '') ?? key('none');
        state = activate(state, next, now, rules.graceSeconds).state;
      }
    }
    return { state, replaced };
  }

  test('a stop of ten periods is one rotation, and the new period starts then', () => {
    const now = start + 240 * hour;
    const { state, replaced } = follow(one, policy, now);
    expect(replaced).toEqual(['a']);
    expect(nextRotation(state, policy)).toBe(now + 24 * hour);
    expect(statusOf(state, 'a', now)).toBe('grace');
  });

  test('whatever time does: no key is replaced twice or too soon, and there is always an active one', () => {
    const rules = fc.record({
      everySeconds: fc.integer({ min: 2, max: 1000 }),
      prepublishSeconds: fc.nat(999),
      graceSeconds: fc.nat(2000),
    });
    const steps = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 40 });
    fc.assert(
      fc.property(rules, steps, (given, waits) => {
        const ruled = {
          ...given,
          prepublishSeconds: Math.min(given.prepublishSeconds, given.everySeconds - 1),
        };
        let state = one;
        let now = start;
        let since = start;
        const seen = new Set<string>();
        for (const wait of waits) {
          now += wait * 100;
          const step = follow(state, ruled, now);
          expect(step.replaced.length).toBeLessThanOrEqual(1);
          for (const kid of step.replaced) {
            expect(seen.has(kid)).toBe(false);
            seen.add(kid);
            expect(now - since).toBeGreaterThanOrEqual(ruled.everySeconds * 1000);
            since = now;
          }
          state = step.state;
          expect(activeKey(state).kid).toBe(state.active);
          expect(nextRotation(state, ruled)).toBeGreaterThan(now);
        }
      }),
    );
  });
});
