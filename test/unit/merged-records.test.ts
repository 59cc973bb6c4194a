import { describe, expect, it } from 'vitest';
import { emptyState, type KeyRecord, type KeyringState } from '../../src/vault/key-records.ts';
import { mergeRecords, type KnownRecords } from '../../src/vault/file/merged-records.ts';

const now = Date.UTC(2026, 10, 28);
const grace = 3600;
const at = (seconds: number): string => new Date(now + seconds * 1000).toISOString();

function key(kid: string): KeyRecord {
  return { kid, publicKey: Buffer.from(kid), createdAt: at(-86_400), objectId: kid };
}

interface Given extends Partial<Omit<KeyringState, 'keys' | 'graceUntil'>> {
  readonly graceUntil?: Readonly<Record<string, string>>;
}

function records(kids: string, { graceUntil = {}, ...more }: Given): KeyringState {
  const keys = kids.split(' ').map((kid) => [kid, key(kid)] as const);
  return {
    ...emptyState,
    keys: new Map(keys),
    graceUntil: new Map(Object.entries(graceUntil)),
    ...more,
  };
}

function known(state: KeyringState, pruned: Readonly<Record<string, string>> = {}): KnownRecords {
  return { state, pruned: new Map(Object.entries(pruned)) };
}

const merge = (read: KeyringState, before: KnownRecords) => mergeRecords(read, before, now, grace);

describe('records that were read, merged with those that are known', () => {
  it('are what was read, where nobody has undone anything', () => {
    const before = records('a', { active: 'a' });
    const read = records('a b', { active: 'b', graceUntil: { a: at(60) } });
    const { state, restored, pruned } = merge(read, known(before));
    expect(restored).toEqual([]);
    expect(state.active).toBe('b');
    expect(state.graceUntil.get('a')).toBe(at(60));
    expect(pruned.size).toBe(0);
  });

  it('a revoked key stays revoked when a program drops what it does not know', () => {
    const revoked = new Map([['a', { at: at(-10), reason: 'lost' }]]);
    const before = records('a b', { active: 'b', revoked });
    // Written from a reading before the revocation: the key is back, seed and all.
    const read = records('a b', { active: 'b', graceUntil: { a: at(600) } });
    const { state, restored } = merge(read, known(before));
    expect(state.revoked.get('a')).toEqual({ at: at(-10), reason: 'lost' });
    expect(state.graceUntil.has('a')).toBe(false);
    expect(restored).toEqual(['key a is revoked, and stays so']);
  });

  it('a revoked key that was active is not active again', () => {
    const revoked = new Map([['a', { at: at(-10), reason: null }]]);
    const before = records('a b', { active: 'b', revoked });
    const read = records('a', { active: 'a' });
    const { state, restored } = merge(read, known(before));
    expect(state.active).toBe('b');
    expect(state.keys.has('b')).toBe(true);
    expect(restored).toContain('key b was written over, and is back');
    expect(restored).toContain('key b had replaced key a, and is the active one again');
  });

  it('a rotation that was written over is not lost: the new key of the other program is active, ours in grace', () => {
    const before = records('a b', { active: 'b', graceUntil: { a: at(600) } });
    const read = records('a c', { active: 'c', graceUntil: { a: at(300) } });
    const { state, restored } = merge(read, known(before));
    expect(state.active).toBe('c');
    expect([...state.keys.keys()]).toEqual(['a', 'c', 'b']);
    expect(state.graceUntil.get('b')).toBe(at(grace));
    expect(state.graceUntil.get('a')).toBe(at(300));
    expect(restored).toEqual(['key b was written over, and is back']);
  });

  it('a key that was pruned does not become valid again', () => {
    const before = records('b', { active: 'b' });
    const read = records('a b', { active: 'b', graceUntil: { a: at(900) } });
    const { state } = merge(read, known(before, { a: at(-5) }));
    expect(state.graceUntil.has('a')).toBe(false);
    expect(state.active).toBe('b');
  });

  it('a key whose grace had ended and that is gone was pruned, and is known as such', () => {
    const before = records('a b', { active: 'b', graceUntil: { a: at(-5) } });
    const read = records('b', { active: 'b' });
    const { restored, pruned } = merge(read, known(before));
    expect(restored).toEqual([]);
    expect([...pruned]).toEqual([['a', at(-5)]]);
  });

  it('an ended grace stays ended', () => {
    const before = records('a b', { active: 'b', graceUntil: { a: at(-5) } });
    const read = records('a b', { active: 'b', graceUntil: { a: at(600) } });
    expect(merge(read, known(before)).state.graceUntil.get('a')).toBe(at(-5));
  });

  it('a prepared key stays prepared, unless the other program has made it active', () => {
    const prepared = { kid: 'p', activatesAt: at(60) };
    const before = records('a p', { active: 'a', prepared });
    const dropped = merge(records('a p', { active: 'a' }), known(before));
    expect(dropped.state.prepared).toEqual(prepared);
    expect(dropped.restored).toEqual(['key p is prepared, and stays so']);
    const used = merge(records('a p', { active: 'p', graceUntil: { a: at(9) } }), known(before));
    expect(used.state.active).toBe('p');
    expect(used.state.prepared).toBeNull();
    expect(used.restored).toEqual([]);
  });

  it('the latest time never goes back, and the start of the active key is kept', () => {
    const activated = { kid: 'a', at: at(-60) };
    const before = records('a', { active: 'a', latestTime: at(-1), activated });
    const { state } = merge(records('a', { active: 'a' }), known(before));
    expect(state.latestTime).toBe(at(-1));
    expect(state.activated).toEqual(activated);
    const later = merge(records('a', { active: 'a', latestTime: at(1) }), known(before));
    expect(later.state.latestTime).toBe(at(1));
  });

  it('a program that does not know of our rotation does not take it back', () => {
    const activated = { kid: 'b', at: at(-60) };
    const before = records('a b', { active: 'b', graceUntil: { a: at(600) }, activated });
    const read = records('a b', { active: 'a' });
    const { state, restored } = merge(read, known(before));
    expect(state.active).toBe('b');
    expect(state.graceUntil.get('a')).toBe(at(600));
    expect(restored).toEqual(['key b had replaced key a, and is the active one again']);
  });

  it('but one that knows both keys may make the other one active, and end a grace', () => {
    const before = records('a b c', { active: 'b', graceUntil: { a: at(600), c: at(600) } });
    const { state, restored } = merge(records('a b c', { active: 'a' }), known(before));
    expect(state.active).toBe('a');
    expect([...state.graceUntil]).toEqual([]);
    expect(restored).toEqual([]);
  });
});
