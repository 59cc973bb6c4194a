import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  activate,
  announce,
  begin,
  expiredGrace,
  leftOverKeys,
  refuseUnrevocable,
  isHeld,
  prepare,
  remove,
  revoke,
  settle,
  signingKey,
  statusOf,
  validKeys,
} from '../../src/keyring/lifecycle.ts';
import {
  emptyState,
  heldKeys,
  type KeyRecord,
  type KeyringState,
} from '../../src/vault/key-records.ts';

const start = Date.UTC(2026, 0, 1);
const key = (kid: string): KeyRecord => ({
  kid,
  publicKey: new Uint8Array(Buffer.from(kid)),
  createdAt: '2026-01-01T00:00:00.123456789Z',
  objectId: `0${kid}`,
});
const one = begin(emptyState, key('a'));

test('a grace ends at a time that can be written, or the time that keys go by is to blame', () => {
  const late = Date.UTC(9999, 11, 31, 23, 59, 50);
  expect(activate(one, key('b'), late, 9).previousGraceUntil).toBe('9999-12-31T23:59:59.000Z');
  expect(() => activate(one, key('b'), late, 10)).toThrow(/latest_time/);
});

test('a state is never changed in place', () => {
  const before = structuredClone(one);
  activate(one, key('b'), start, 10);
  revoke(one, 'a', '2026-01-01T00:00:00Z', null, key('b'));
  prepare(one, key('b'), null);
  remove(one, ['a']);
  announce(one, [{ step: 'generate', objectId: '00', since: '2026-01-01T00:00:00Z' }]);
  expect(one).toEqual(before);
});

test('grace ends at its very moment, to the nanosecond', () => {
  const state: KeyringState = {
    ...activate(one, key('b'), start, 10).state,
    graceUntil: new Map([['a', '2026-01-01T00:00:10.000000001Z']]),
  };
  expect(statusOf(state, 'a', start + 10_000)).toBe('grace');
  expect(statusOf(state, 'a', start + 10_001)).toBe('retired');
  expect(expiredGrace(state, start + 10_000)).toEqual([]);
  expect(expiredGrace(state, start + 10_001)).toEqual(['a']);
});

test('a key that is neither active nor in grace is left over, and not valid', () => {
  const state: KeyringState = { ...one, keys: new Map([...one.keys, ['x', key('x')]]) };
  expect(statusOf(state, 'x', start)).toBe('retired');
  expect(validKeys(state, start).map(({ kid }) => kid)).toEqual(['a']);
  expect(() => signingKey(state, 'x', start)).toThrow(/grace has ended/);
  expect(leftOverKeys(state)).toEqual(['x']);
  expect(expiredGrace(state, start)).toEqual([]);
  expect(() => {
    refuseUnrevocable(state, 'x', start);
  }).not.toThrow();
  const revoked = revoke(state, 'x', '2026-01-01T00:00:00Z', 'lost', null);
  expect(statusOf(revoked, 'x', start)).toBe('revoked');
  expect(leftOverKeys(revoked)).toEqual([]);
  expect(() => {
    refuseUnrevocable(revoked, 'x', start);
  }).toThrow(/revoked/);
});

test('no key that is in a state is left over', () => {
  const state = prepare(activate(one, key('b'), start, 10).state, key('p'), null);
  expect(leftOverKeys(state)).toEqual([]);
});

test('the active key is never expired, whatever the grace says', () => {
  const state: KeyringState = { ...one, graceUntil: new Map([['a', '2020-01-01T00:00:00Z']]) };
  expect(statusOf(state, 'a', start)).toBe('active');
  expect(expiredGrace(state, start)).toEqual([]);
});

test('a prepared key is not pruned, whatever the grace says', () => {
  const waiting = prepare(one, key('p'), null);
  const state: KeyringState = { ...waiting, graceUntil: new Map([['p', '2020-01-01T00:00:00Z']]) };
  expect(expiredGrace(state, start)).toEqual([]);
  expect(activate(state, key('p'), start, 10).state.graceUntil.has('p')).toBe(false);
});

test('grace of a key that has no record is pruned too', () => {
  const state: KeyringState = { ...one, graceUntil: new Map([['gone', '2020-01-01T00:00:00Z']]) };
  expect(expiredGrace(state, start)).toEqual(['gone']);
  expect(remove(state, ['gone'])).toEqual(one);
});

test('the active key is not revoked without a replacement', () => {
  expect(() => revoke(one, 'a', '2026-01-01T00:00:00Z', null, null)).toThrow(/replacement/);
});

test('announced steps are settled by object id', () => {
  const since = '2026-01-01T00:00:00Z';
  const state = announce(one, [
    { step: 'generate', objectId: '01', since },
    { step: 'destroy', objectId: '02', since },
  ]);
  expect(settle(state, ['01']).pending).toEqual([{ step: 'destroy', objectId: '02', since }]);
});

describe('whatever is done in whatever order', () => {
  type Step =
    | { do: 'rotate'; grace: number }
    | { do: 'prepare' | 'prune' }
    | { do: 'revoke'; pick: number }
    | { do: 'wait'; seconds: number };
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant('rotate' as const), grace: fc.integer({ min: 0, max: 100 }) }),
    fc.record({ do: fc.constantFrom('prepare' as const, 'prune' as const) }),
    fc.record({ do: fc.constant('revoke' as const), pick: fc.nat(20) }),
    fc.record({ do: fc.constant('wait' as const), seconds: fc.nat(80) }),
  );

  function follow(steps: readonly Step[], check: (state: KeyringState, now: number) => void): void {
    let state = begin(emptyState, key('k0'));
    let now = start;
    let made = 1;
    const next = (): KeyRecord => {
      const prepared = state.prepared === null ? undefined : state.keys.get(state.prepared.kid);
      return prepared ?? key(`k${made++}`);
    };
    for (const one of steps) {
      if (one.do === 'wait') now += one.seconds * 1000;
      if (one.do === 'rotate') state = activate(state, next(), now, one.grace).state;
      if (one.do === 'prepare' && state.prepared === null) {
        state = prepare(state, key(`k${made++}`), null);
      }
      if (one.do === 'prune') state = remove(state, expiredGrace(state, now));
      if (one.do === 'revoke') {
        const candidates = [...state.keys.keys()].filter((kid) => {
          const status = statusOf(state, kid, now);
          return status !== 'revoked' && status !== 'retired';
        });
        const kid = candidates[one.pick % candidates.length] ?? 'k0';
        const replacement = kid === state.active ? next() : null;
        state = revoke(state, kid, new Date(now).toISOString(), null, replacement);
      }
      check(state, now);
    }
  }

  test('exactly one key is active, it is valid, and it comes first', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        follow(steps, (state, now) => {
          const statuses = [...state.keys.keys()].map((kid) => statusOf(state, kid, now));
          expect(statuses.filter((status) => status === 'active')).toHaveLength(1);
          expect(statuses.filter((status) => status === 'prepared').length).toBeLessThan(2);
          expect(validKeys(state, now)[0]?.kid).toBe(state.active);
          expect(signingKey(state, undefined, now).kid).toBe(state.active);
        });
      }),
    );
  });

  test('what is valid signs, what is not does not, and what is revoked never does again', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const revoked = new Set<string>();
        follow(steps, (state, now) => {
          for (const kid of state.revoked.keys()) revoked.add(kid);
          const valid = new Set(validKeys(state, now).map(({ kid }) => kid));
          for (const kid of state.keys.keys()) {
            if (valid.has(kid)) expect(signingKey(state, kid, now).kid).toBe(kid);
            else expect(() => signingKey(state, kid, now)).toThrow();
          }
          for (const kid of revoked) expect(valid.has(kid)).toBe(false);
          for (const held of heldKeys(state)) expect(isHeld(state, held.objectId)).toBe(true);
        });
      }),
    );
  });
});
