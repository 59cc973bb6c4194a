import { describe, expect, test } from 'vitest';
import { Caller } from '../../src/access/caller.ts';
import type { AuditEvent } from '../../src/audit/audit.ts';
import { RecordFolding } from '../../src/audit/record-folding.ts';

function refusal(uid: number, more: Partial<AuditEvent> = {}): AuditEvent {
  const peer = {
    kind: 'process' as const,
    uid,
    gid: uid,
    pid: 1,
    groups: [],
    name: null,
    executable: null,
  };
  return {
    caller: new Caller(peer),
    principal: { kind: 'user', name: `${uid}`, uid, pid: 1, scope: 'app' },
    method: 'sign',
    keyring: 'default',
    kid: null,
    messages: [Buffer.from('m')],
    subject: null,
    outcome: 'refused',
    kind: 'forbidden',
    reason: 'no',
    of: null,
    ...more,
  };
}

const stranger = (uid: number): Partial<AuditEvent> => ({
  principal: { kind: 'user', name: `${uid}`, uid, pid: 1, scope: 'none' },
});

/** How many of so many equal events are written. */
function written(folding: RecordFolding, count: number, event: AuditEvent, now: number): number {
  return Array.from({ length: count }, () => folding.fold(event, now)).filter((folded) => !folded)
    .length;
}

describe('refusals', () => {
  test('are written up to sixty a minute, and counted from there on', () => {
    const folding = new RecordFolding();
    const event = refusal(1000);
    expect(written(folding, 75, event, 0)).toBe(60);
    expect(folding.close(59_999)).toEqual([]);
    expect(folding.close(60_000)).toEqual([{ event: { ...event, messages: [] }, count: 15 }]);
    expect(written(folding, 60, event, 60_000)).toBe(60);
    expect(folding.close(120_000)).toEqual([]);
    expect(folding.close(Infinity)).toEqual([]);
  });

  test.each(['rate_limited', 'overloaded'] as const)('%s: one a minute', (kind) => {
    const folding = new RecordFolding();
    expect(written(folding, 5, refusal(1000, { kind }), 0)).toBe(1);
    expect(folding.close(Infinity).map(({ count }) => count)).toEqual([4]);
  });

  test('of a user are one budget over all methods and kinds, and the record says which', () => {
    const folding = new RecordFolding();
    const methods = ['sign', 'rotate', 'revoke', 'status', 'reload', 'lock', 'unlock', 'attest'];
    const counts = methods.map((method) => written(folding, 30, refusal(1000, { method }), 0));
    expect(counts).toEqual([30, 30, 0, 0, 0, 0, 0, 0]);
    expect(written(folding, 5, refusal(1000, { kind: 'unauthenticated' }), 0)).toBe(0);
    expect(written(folding, 30, refusal(1001), 0)).toBe(30);
    const [one, ...others] = folding.close(Infinity);
    expect(others).toEqual([]);
    expect(one).toMatchObject({ count: 185, event: { caller: { share: 'uid 1000' } } });
    expect(one?.event.reason).toBe(
      '30 revoke (forbidden), 30 status (forbidden), 30 reload (forbidden), 30 lock (forbidden), ' +
        '30 unlock (forbidden), 30 attest (forbidden) and 1 others',
    );
  });

  test('of callers without a scope are one budget, however many users they are', () => {
    const folding = new RecordFolding();
    const uids = Array.from({ length: 65_536 }, (_, at) => 100_000 + at);
    const own = uids.filter((uid) => !folding.fold(refusal(uid, stranger(uid)), 0));
    expect(own).toHaveLength(4);
    expect(written(folding, 1, refusal(1, { principal: null }), 0)).toBe(0);
    const [one, ...others] = folding.close(Infinity);
    expect(others).toEqual([]);
    expect(one?.count).toBe(65_533);
    expect(one?.event).toMatchObject({ caller: null, kind: 'forbidden', principal: { uid: null } });
    expect(one?.event.reason).toMatch(
      /^65533 sign \(forbidden\); by more users \(64533\), uid 100004 \(1\), .* and 995 others$/,
    );
  });

  test('of more users than are told apart are one budget', () => {
    const folding = new RecordFolding();
    const users = Array.from({ length: 1000 }, (_, uid) => written(folding, 60, refusal(uid), 0));
    expect(users.filter((count) => count === 60)).toHaveLength(257);
    expect(users.filter((count) => count === 0)).toHaveLength(743);
  });

  test('of what would change nothing have no record of their own', () => {
    const folding = new RecordFolding();
    const event = refusal(1000, { kind: 'already_exists', repeats: 'counted' });
    expect(written(folding, 3, event, 0)).toBe(0);
    expect(folding.close(Infinity)).toMatchObject([{ count: 3 }]);
  });
});

describe('what is done', () => {
  test('is written, and where it says so, equal ones of a minute are counted', () => {
    const folding = new RecordFolding();
    const done = { outcome: 'done', kind: null, repeats: 'folded' } as const;
    const ofHost = (subject: string): AuditEvent => refusal(1000, { ...done, subject });
    expect(written(folding, 9, ofHost('host a'), 0)).toBe(1);
    expect(written(folding, 9, ofHost('host b'), 0)).toBe(1);
    expect(folding.close(60_000)).toMatchObject([
      { count: 8, event: { subject: 'host a' } },
      { count: 8, event: { subject: 'host b' } },
    ]);
  });

  test('with an API key from many users is counted by the key', () => {
    const folding = new RecordFolding();
    const principal = { kind: 'api_key', name: 'ci', pid: 1, scope: 'app', api_key: 'ci' } as const;
    const done = { outcome: 'done', kind: null, repeats: 'folded', subject: 'ci' } as const;
    const from = (uid: number): AuditEvent =>
      refusal(uid, { ...done, method: 'authenticate', principal: { ...principal, uid } });
    const own = [1, 2, 3].filter((uid) => !folding.fold(from(uid), 0));
    expect(own).toEqual([1]);
    expect(folding.close(Infinity)).toMatchObject([
      {
        count: 2,
        event: { caller: null, subject: 'ci', principal: { api_key: 'ci', uid: null } },
      },
    ]);
  });

  test('begun or failed is never counted instead of written', () => {
    const folding = new RecordFolding();
    for (const outcome of ['done', 'begun', 'failed'] as const) {
      const event = refusal(1000, { outcome, kind: outcome === 'failed' ? 'internal' : null });
      expect(written(folding, 150, event, 0)).toBe(150);
    }
    expect(folding.close(Infinity)).toEqual([]);
  });
});
