import { describe, expect, test } from 'vitest';
import { Caller } from '../../src/access/caller.ts';
import type { AuditEvent } from '../../src/audit/audit.ts';
import { RefusalFolding } from '../../src/audit/refusal-folding.ts';

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
    principal: null,
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

/** How many of so many equal events are written. */
function written(folding: RefusalFolding, count: number, event: AuditEvent, now: number): number {
  return Array.from({ length: count }, () => folding.fold(event, now)).filter((folded) => !folded)
    .length;
}

describe('equal refusals', () => {
  test('are written up to ten a second, and counted from there on', () => {
    const folding = new RefusalFolding();
    const event = refusal(1000);
    expect(written(folding, 25, event, 0)).toBe(10);
    expect(folding.close(999)).toEqual([]);
    expect(folding.close(1000)).toEqual([{ event: { ...event, messages: [] }, count: 15 }]);
    expect(written(folding, 10, event, 1000)).toBe(10);
    expect(folding.close(2000)).toEqual([]);
    expect(folding.close(Infinity)).toEqual([]);
  });

  test.each(['rate_limited', 'overloaded'] as const)('%s: one a second', (kind) => {
    const folding = new RefusalFolding();
    expect(written(folding, 5, refusal(1000, { kind }), 0)).toBe(1);
    expect(folding.close(Infinity).map(({ count }) => count)).toEqual([4]);
  });

  test('are those of one user, method and kind', () => {
    const folding = new RefusalFolding();
    const others = [
      refusal(1000),
      refusal(1001),
      refusal(1000, { method: 'rotate' }),
      refusal(1000, { kind: 'unauthenticated' }),
    ];
    for (const event of others) expect(written(folding, 10, event, 0)).toBe(10);
  });

  test('what is done, begun or failed is never counted instead of written', () => {
    const folding = new RefusalFolding();
    for (const outcome of ['done', 'begun', 'failed'] as const) {
      const event = refusal(1000, { outcome, kind: outcome === 'failed' ? 'internal' : null });
      expect(written(folding, 50, event, 0)).toBe(50);
    }
    expect(folding.close(Infinity)).toEqual([]);
  });
});
