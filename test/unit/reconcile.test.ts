import { reconcileCommand } from '../../src/cli/commands/reconcile/reconcile-command.ts';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { kidOf } from '../../src/algorithms/kid.ts';
import { emptyState, type KeyRecord, type KeyringState } from '../../src/vault/key-records.ts';
import { reconcile, type Comparison, type Verdict } from '../../src/keyring/reconcile.ts';
import type { Records } from '../../src/keyring/record-store.ts';
import { parseSidecar, sidecarText } from '../../src/keyring/sidecar/sidecar-format.ts';
import { newObjectId } from '../../src/vault/object-id.ts';
import type { VaultObject } from '../../src/vault/vault.ts';

const hour = 3_600_000;
const now = Date.UTC(2026, 4, 14, 17, 55);
const time = (ms: number): string => new Date(ms).toISOString();

/** A key made so many hours ago, with its object in the token. */
function key(name: string, hoursAgo: number): { record: KeyRecord; object: VaultObject } {
  const publicKey = createHash('sha256').update(name).digest();
  const made = now - hoursAgo * hour;
  const objectId = newObjectId(made, publicKey.subarray(0, 10));
  const record = { kid: kidOf(publicKey), publicKey, objectId, createdAt: time(made) };
  return { record, object: { objectId, publicKey, hasPrivateKey: true } };
}
const [a, b, c, d] = [key('a', 40), key('b', 30), key('c', 20), key('d', 10)];
const kids = { a: a.record.kid, b: b.record.kid, c: c.record.kid, d: d.record.kid };

const stateOf = (records: KeyRecord[], change: Partial<KeyringState> = {}): KeyringState => ({
  ...emptyState,
  keys: new Map(records.map((record) => [record.kid, record])),
  ...change,
});
/** a is in grace, b active, c prepared. */
const usual = stateOf([a.record, b.record, c.record], {
  active: kids.b,
  graceUntil: new Map([[kids.a, time(now + hour)]]),
  prepared: { kid: kids.c, activatesAt: null },
});
const readable = (state: KeyringState): Records => ({ found: 'readable', state });
const missing: Records = { found: 'missing' };
const broken: Records = { found: 'broken', reason: 'it is not JSON' };

const compare = (
  records: Records,
  objects: VaultObject[],
  active: string | null = null,
  lastActive: string | null = null,
) => reconcile(records, objects, { now, active, lastActive, noun: 'sidecar' });

/** The state that would be written; it has to be one that the agent can read. */
function written({ verdict }: Comparison): KeyringState {
  if (verdict.kind !== 'repair') throw new Error(`the verdict is ${verdict.kind}`);
  const owner = { keyring: 'default', algorithm: 'ed25519' } as const;
  const text = sidecarText(verdict.state, owner, null);
  expect(sidecarText(parseSidecar(text, owner).state, owner, null)).toBe(text);
  expect(verdict.state.active).toBe(verdict.active.kid);
  return verdict.state;
}
/** Why somebody has to choose; empty where nobody has to. */
const reasonOf = (verdict: Verdict): string => (verdict.kind === 'choose' ? verdict.reason : '');
const statuses = (comparison: Comparison) =>
  comparison.rows.map(({ kid, finding, becomes }) => [kid, finding, becomes]);

describe('sidecar and token fit', () => {
  const objects = [a.object, b.object, c.object];

  test('as they were left', () => {
    const comparison = compare(readable(usual), objects);
    expect(comparison.verdict).toEqual({ kind: 'fits', active: b.record });
    expect(comparison.rows.map((row) => [row.recordedAs, row.inToken, row.becomes])).toEqual([
      ['grace', 'whole', 'grace'],
      ['active', 'whole', 'active'],
      ['prepared', 'whole', 'prepared'],
    ]);
  });

  test('with the active key named', () => {
    expect(compare(readable(usual), objects, kids.b).verdict.kind).toBe('fits');
  });

  test('with a public half missing: the record has it', () => {
    const half = { ...b.object, publicKey: null };
    const comparison = compare(readable(usual), [a.object, half, c.object]);
    expect(comparison.verdict.kind).toBe('fits');
    expect(comparison.rows[1]).toMatchObject({ inToken: 'private_only', finding: 'fits' });
  });

  test('with a revoked key gone, or still there', () => {
    const revoked = { ...usual, revoked: new Map([[kids.d, { at: time(now), reason: null }]]) };
    const state = { ...revoked, keys: new Map([...usual.keys, [kids.d, d.record]]) };
    for (const more of [[], [d.object]]) {
      const comparison = compare(readable(state), [...objects, ...more]);
      expect(comparison.verdict.kind).toBe('fits');
      expect(comparison.rows[3]).toMatchObject({ finding: 'revoked', becomes: 'revoked' });
    }
    // A kid that is revoked without a record, and a copy of a revoked key, stay out as well.
    expect(compare(readable(revoked), [...objects, d.object]).verdict.kind).toBe('fits');
    const copy = { ...d.object, objectId: newObjectId(now, Buffer.alloc(10)) };
    expect(compare(readable(state), [...objects, copy]).verdict.kind).toBe('fits');
  });

  test('with what was announced', () => {
    const pending = [{ step: 'generate', objectId: d.object.objectId, since: time(now) }] as const;
    const comparison = compare(readable({ ...usual, pending }), [...objects, d.object]);
    expect(comparison.verdict.kind).toBe('fits');
    expect(comparison.rows[3]).toMatchObject({ finding: 'announced', becomes: null });
    expect(compare(readable({ ...usual, pending }), objects, kids.d).verdict.kind).toBe('choose');
  });

  test('before the first key', () => {
    const begins = { kind: 'fits', active: null };
    expect(compare(missing, []).verdict).toEqual(begins);
    expect(compare(readable(emptyState), []).verdict).toEqual(begins);
    const pending = [{ step: 'generate', objectId: d.object.objectId, since: time(now) }] as const;
    expect(compare(readable({ ...emptyState, pending }), [d.object]).verdict).toEqual(begins);
  });

  test.each<[string, VaultObject]>([
    ['a public half', { ...d.object, hasPrivateKey: false }],
    ['a private half', { ...d.object, publicKey: null }],
    ['a key without an id', { ...d.object, objectId: '' }],
    ['the same key once more', { ...a.object, objectId: 'ff' }],
  ])('with %s beside them: reported, not recorded', (_, object) => {
    const comparison = compare(readable(usual), [...objects, object]);
    expect(comparison.verdict.kind).toBe('fits');
    expect(comparison.rows).toHaveLength(4);
    expect(comparison.rows[3]).toMatchObject({ recordedAs: null, becomes: null });
  });
});

describe('a readable sidecar', () => {
  test('a key that no record names is recorded as left over', () => {
    const comparison = compare(readable(usual), [a.object, b.object, c.object, d.object]);
    expect(comparison.rows[3]).toMatchObject({ finding: 'unrecorded', becomes: 'retired' });
    const keys = new Map([...usual.keys, [kids.d, d.record]]);
    expect(written(comparison)).toEqual({ ...usual, keys });
  });

  test('even where a grace waits for its kid', () => {
    const graceUntil = new Map([...usual.graceUntil, [kids.d, time(now + hour)]]);
    const objects = [a.object, b.object, c.object, d.object];
    const comparison = compare(readable({ ...usual, graceUntil }), objects);
    expect(comparison.rows[3]?.becomes).toBe('retired');
    expect(written(comparison).graceUntil).toEqual(usual.graceUntil);
  });

  test('a key that no record names is active only when it is named; the other stays valid', () => {
    const objects = [a.object, b.object, c.object, d.object];
    const comparison = compare(readable(usual), objects, kids.d);
    const state = written(comparison);
    expect(state.active).toBe(kids.d);
    expect(state.graceUntil.get(kids.b)).toBe(time(now + 7 * 24 * hour));
    expect(state.prepared?.kid).toBe(kids.c);
  });

  test('a prepared key can be named', () => {
    const state = written(compare(readable(usual), [a.object, b.object, c.object], kids.c));
    expect(state).toMatchObject({ active: kids.c, prepared: null });
  });

  test.each<[string, VaultObject[]]>([
    ['is gone', []],
    ['has lost its private half', [{ ...a.object, hasPrivateKey: false }]],
  ])('a key in grace that %s loses its record', (_, instead) => {
    const comparison = compare(readable(usual), [...instead, b.object, c.object]);
    expect(comparison.rows[0]).toMatchObject({ finding: 'gone', becomes: null, kid: kids.a });
    expect(comparison.rows).toHaveLength(3);
    const state = written(comparison);
    expect([...state.keys.keys()]).toEqual([kids.b, kids.c]);
    expect(state.graceUntil.size).toBe(0);
    expect(state.prepared).toEqual(usual.prepared);
  });

  test('a prepared key that is gone is prepared no more', () => {
    expect(written(compare(readable(usual), [a.object, b.object])).prepared).toBeNull();
  });

  test('without its active key somebody has to name one', () => {
    const objects = [a.object, c.object, d.object];
    const { verdict } = compare(readable(usual), objects);
    expect(reasonOf(verdict)).toContain(kids.b);
    expect(verdict.kind === 'choose' && verdict.candidates.map(({ kid }) => kid)).toEqual([
      kids.a,
      kids.c,
      kids.d,
    ]);
    const state = written(compare(readable(usual), objects, kids.a));
    expect(state.active).toBe(kids.a);
    expect(state.graceUntil.size).toBe(0); // neither its own, nor one for the key that is gone
    expect(state.keys.has(kids.b)).toBe(false);
  });

  test('without any key there is nothing to go on with', () => {
    expect(compare(readable(usual), []).verdict.kind).toBe('no_key');
    expect(compare(readable(usual), [], kids.b).verdict.kind).toBe('no_key');
    const half = { ...d.object, hasPrivateKey: false };
    expect(compare(readable(emptyState), [half]).verdict.kind).toBe('no_key');
  });

  test('that was emptied does not choose', () => {
    expect(compare(readable(emptyState), [a.object, b.object]).verdict.kind).toBe('choose');
    expect(written(compare(readable(emptyState), [a.object, b.object], kids.a)).active).toBe(
      kids.a,
    );
  });

  test('a revoked key is not made active', () => {
    const revoked = new Map([[kids.a, { at: time(now), reason: 'lost' }]]);
    const state = { ...usual, graceUntil: new Map(), revoked };
    const { verdict } = compare(readable(state), [a.object, b.object, c.object], kids.a);
    expect(reasonOf(verdict)).toContain('revoked');
  });

  test('records whose object ids were mixed up are given the right ones', () => {
    const [x, y] = [a.record.objectId, b.record.objectId];
    const mixed = new Map(usual.keys)
      .set(kids.a, { ...a.record, objectId: y })
      .set(kids.b, { ...b.record, objectId: x });
    const comparison = compare(readable({ ...usual, keys: mixed }), [a.object, b.object, c.object]);
    expect(comparison.rows.map(({ finding }) => finding)).toEqual(['moved', 'moved', 'fits']);
    expect(written(comparison)).toEqual(usual);
  });

  test('a record whose object is another key goes, and that key is left over', () => {
    const swapped = { ...d.object, objectId: a.object.objectId };
    const comparison = compare(readable(usual), [swapped, b.object, c.object]);
    expect(statuses(comparison)).toEqual([
      [kids.a, 'gone', null],
      [kids.b, 'fits', 'active'],
      [kids.c, 'fits', 'prepared'],
      [kids.d, 'unrecorded', 'retired'],
    ]);
    expect(written(comparison).keys.get(kids.d)?.objectId).toBe(a.object.objectId);
  });

  test('another key under the object id of a revoked record is left alone', () => {
    const revoked = new Map([[kids.a, { at: time(now), reason: null }]]);
    const state = { ...usual, graceUntil: new Map<string, string>(), revoked };
    const swapped = { ...d.object, objectId: a.object.objectId };
    const comparison = compare(readable(state), [swapped, b.object, c.object]);
    expect(comparison.verdict.kind).toBe('fits');
    expect(comparison.rows[3]).toMatchObject({ kid: kids.d, finding: 'unusable', becomes: null });
  });
});

describe.each([
  ['missing', missing],
  ['broken', broken],
])('a sidecar that is %s', (_, records) => {
  test('is rebuilt: the key that was active last is active, the others are left over', () => {
    const comparison = compare(records, [c.object, a.object, b.object], null, kids.b);
    expect(statuses(comparison)).toEqual([
      [kids.a, 'unrecorded', 'retired'],
      [kids.b, 'unrecorded', 'active'],
      [kids.c, 'unrecorded', 'retired'],
    ]);
    expect(written(comparison)).toEqual(
      stateOf([a.record, b.record, c.record], {
        active: kids.b,
        activated: { kid: kids.b, at: b.record.createdAt },
      }),
    );
  });

  test.each([null, kids.d])(
    'asks where nothing says which key was active, or that one is gone (%s)',
    (lastActive) => {
      const { verdict } = compare(records, [c.object, a.object], null, lastActive);
      expect(verdict).toMatchObject({ kind: 'choose', candidates: [a.record, c.record] });
      expect(reasonOf(verdict)).toContain('may be one that was prepared');
      expect(written(compare(records, [c.object])).active).toBe(kids.c);
    },
  );

  test('is rebuilt with the key that is named', () => {
    const state = written(compare(records, [a.object, b.object], kids.a));
    expect(state).toMatchObject({ active: kids.a, graceUntil: new Map() });
  });

  test('halves and copies stay out of it', () => {
    const half = { ...d.object, hasPrivateKey: false };
    const copy = { ...a.object, objectId: newObjectId(now, Buffer.alloc(10)) };
    const comparison = compare(records, [half, copy, a.object]);
    expect(comparison.rows.map(({ finding }) => finding)).toEqual([
      'unrecorded',
      'half_made',
      'duplicate',
    ]);
    expect([...written(comparison).keys.values()]).toEqual([a.record]);
  });

  test.each<[string, string]>([
    ['says no time', 'ab'],
    ['comes from the future', newObjectId(now + 48 * hour, Buffer.alloc(10))],
  ])('takes the time of now where an id %s', (__, objectId) => {
    const odd = { ...b.object, objectId };
    expect(compare(records, [a.object, odd]).verdict.kind).toBe('choose');
    const alone = written(compare(records, [odd]));
    expect(alone.keys.get(kids.b)).toMatchObject({ objectId, createdAt: time(now) });
    expect(written(compare(records, [a.object, odd], kids.a)).active).toBe(kids.a);
  });

  test('refuses a key that is not there', () => {
    const { verdict } = compare(records, [a.object], kids.b);
    expect(reasonOf(verdict)).toContain(kids.b);
  });

  test('with a half-made key alone there is nothing to go on with', () => {
    const half = { ...d.object, hasPrivateKey: false };
    expect(compare(records, [half]).verdict.kind).toBe('no_key');
  });
});

test('a broken sidecar and an empty token: never an empty start', () => {
  expect(compare(broken, []).verdict.kind).toBe('no_key');
});

test('a hint is the command that was given, with what was missing, for a shell', () => {
  const given = {
    keyring: 'prod',
    config: "/etc/it's here.toml",
    stateDir: null,
    active: null,
    acceptRecords: true,
    resetClock: true,
  };
  expect(reconcileCommand(given, { active: '1f2e3d4c' })).toBe(
    'agentctl reconcile --keyring prod --active 1f2e3d4c --reset-clock --accept-records --apply ' +
      "--config='/etc/it'\\''s here.toml'",
  );
});
