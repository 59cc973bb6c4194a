import { beforeEach, describe, expect, test } from 'vitest';
import type { LoadedApiKey } from '../../src/access/api-key.ts';
import type { Caller } from '../../src/access/caller.ts';
import { CredentialError } from '../../src/access/credential-error.ts';
import { AgentError } from '../../src/base/errors.ts';
import { AccessRig, agentUid, thisMachine } from '../support/access-control.ts';
import { apiKey, apiKeys, secretOf } from '../support/api-keys.ts';

let rig: AccessRig;
let caller: Caller;
beforeEach(() => {
  rig = new AccessRig(apiKeys(apiKey('ci'), apiKey('reports', { scope: 'reader' })));
  caller = rig.connect(1001);
});

/** The failure of an attempt; its pause is over at once. */
async function refusal(secret: string, by = caller): Promise<AgentError> {
  const attempt = rig.control.authenticate(by, secret);
  rig.endPauses();
  const failure: unknown = await attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(failure instanceof AgentError)) throw new Error('it was accepted');
  return failure;
}

/** Of a connection that has authenticated; null where its key still holds. */
function faultOf(by: Caller): string | null {
  try {
    rig.control.grant(by);
    return null;
  } catch (failure) {
    if (failure instanceof CredentialError) return failure.fault;
    throw failure;
  }
}

describe('authenticate', () => {
  test('gives the connection what the key has, in place of what its user has', async () => {
    expect(rig.control.grant(caller).principal).toEqual({
      ...{ kind: 'user', name: '1001', uid: 1001, pid: 4711, scope: 'none' },
    });
    const principal = await rig.control.authenticate(caller, secretOf('ci'));
    expect(principal).toEqual({
      ...{ kind: 'api_key', name: 'ci', api_key: 'ci', uid: 1001, pid: 4711, scope: 'app' },
    });
    expect(rig.control.grant(caller)).toEqual({
      ...{ principal, keyrings: null, bounds: new Map(), signaturesPerSecond: null },
      allowances: [{ scope: 'app', keyrings: null, purposes: null }],
    });
    const admin = rig.connect(agentUid);
    expect((await rig.control.authenticate(admin, secretOf('reports'))).scope).toBe('reader');
    expect(rig.control.grant(rig.connect(1001)).principal.scope).toBe('none');
  });

  test('is decided before it is answered', async () => {
    const attempt = rig.control.authenticate(caller, secretOf('ci'));
    expect(rig.control.grant(caller).principal.scope).toBe('app');
    await attempt;
  });

  test('a failure leaves the connection as it was', async () => {
    await rig.control.authenticate(caller, secretOf('ci'));
    await refusal(secretOf('reports', 9));
    expect(rig.control.grant(caller).principal.name).toBe('ci');
  });

  test('is checked in this order: form, name, entry, secret, expiry, machine, user', async () => {
    const wrongInAll = {
      expires: rig.clock.now(),
      allowedMachines: ['b'.repeat(64)],
      users: new Set<number>(),
    };
    const faults: [string, Partial<LoadedApiKey>, string][] = [
      ['secret', wrongInAll, secretOf('ci', 2)],
      ['expired', wrongInAll, secretOf('ci')],
      ['machine', { ...wrongInAll, expires: rig.clock.now() + 1 }, secretOf('ci')],
      ['user', { ...wrongInAll, expires: null, allowedMachines: [thisMachine] }, secretOf('ci')],
      ['unknown', {}, secretOf('no-such-key')],
      ['form', {}, 'sa_ci_1234'],
      ['form', {}, secretOf('ci').toUpperCase()],
      ['form', {}, `${secretOf('ci')}\n`],
      ['form', {}, ''],
      ['form', {}, 'x'.repeat(100_000)],
    ];
    const answers = new Set<string>();
    for (const [fault, key, secret] of faults) {
      rig.control.keys = apiKeys(apiKey('ci', key));
      const failure = await refusal(secret);
      expect(failure).toMatchObject({ kind: 'unauthenticated', fault });
      answers.add(JSON.stringify([failure.message, failure.details]));
    }
    rig.control.keys = { ...apiKeys(), refused: new Map([['ci', 'it has no scope']]) };
    const entry = await refusal(secretOf('ci'));
    expect(entry).toMatchObject({ kind: 'unauthenticated', fault: 'entry' });
    answers.add(JSON.stringify([entry.message, entry.details]));
    expect(answers.size).toBe(1);
  });

  test('a restriction that cannot be evaluated refuses', async () => {
    const here = apiKeys(apiKey('ci', { allowedMachines: [thisMachine] }));
    expect((await new AccessRig(here).control.authenticate(caller, secretOf('ci'))).name).toBe(
      'ci',
    );
    rig = new AccessRig(here, null);
    expect(await refusal(secretOf('ci'))).toMatchObject({ fault: 'machine' });
    rig.control.keys = apiKeys(apiKey('ci', { allowedMachines: [] }));
    expect(await refusal(secretOf('ci'))).toMatchObject({ fault: 'machine' });
    rig.control.keys = apiKeys(apiKey('ci', { allowedUsers: ['gone'], users: new Set() }));
    expect(await refusal(secretOf('ci'))).toMatchObject({ fault: 'user' });
    // Root is not on the list either.
    expect(await refusal(secretOf('ci'), rig.connect(0))).toMatchObject({ fault: 'user' });
  });
});

describe('failures', () => {
  test('are held back for longer each time, a connection, up to 5 s', async () => {
    for (let count = 0; count < 8; count += 1) await refusal(secretOf('ci', 2));
    expect(rig.pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    await refusal(secretOf('ci', 2), rig.connect(1001));
    expect(rig.pauses.at(-1)).toBe(100);
    await rig.control.authenticate(caller, secretOf('ci'));
    await refusal(secretOf('ci', 2));
    expect(rig.pauses.at(-1)).toBe(100);
  });

  test('one attempt at a time, the right secret too; nothing else waits', async () => {
    await refusal('wrong');
    const slow = rig.control.authenticate(caller, 'wrong');
    const failed = expect(slow).rejects.toThrow(CredentialError);
    for (const secret of [secretOf('ci'), 'wrong']) {
      await expect(rig.control.authenticate(caller, secret)).rejects.toMatchObject({
        kind: 'rate_limited',
        details: { retry_after_ms: 200 },
      });
    }
    expect(rig.control.grant(caller).principal.scope).toBe('none');
    await rig.control.authenticate(rig.connect(1001), secretOf('ci'));
    rig.endPauses();
    await failed;
    expect((await rig.control.authenticate(caller, secretOf('ci'))).scope).toBe('app');
    expect(rig.control.failures).toEqual(new Map([['uid 1001', 2]]));
  });

  test('are counted a user and said in the log, with no secret in it', async () => {
    for (const uid of [1001, 1002, 1001]) await refusal(secretOf('ci', 2), rig.connect(uid));
    expect(rig.control.failures).toEqual(
      new Map([
        ['uid 1001', 2],
        ['uid 1002', 1],
      ]),
    );
    expect(rig.lines.at(-1)).toMatchObject({
      msg: 'an API key was not accepted',
      ...{ uid: 1001, pid: 4711, failures_of_uid: 2 },
      reason: 'the secret is not that of the API key',
    });
    expect(JSON.stringify(rig.lines)).not.toContain(secretOf('ci', 2));
  });
});

describe('connections of a key', () => {
  const limited = { maxConnections: 2 };
  const most = { kind: 'rate_limited', details: { retry_after_ms: 1000 } };

  test('no more than its limit, and one more where one has closed', async () => {
    rig.control.keys = apiKeys(apiKey('ci', limited));
    const [first, second] = [rig.connect(1001), rig.connect(1002)];
    for (const one of [first, second, second]) await rig.control.authenticate(one, secretOf('ci'));
    expect(await refusal(secretOf('ci'))).toMatchObject(most);
    expect(rig.control.grant(caller).principal.kind).toBe('user');
    rig.control.forget(rig.connect(1003)); // who never authenticated gives nothing back
    expect(await refusal(secretOf('ci'))).toMatchObject(most);
    rig.control.forget(first);
    await rig.control.authenticate(caller, secretOf('ci'));
    expect(await refusal(secretOf('ci'), rig.connect(1004))).toMatchObject(most);
    expect(rig.pauses).toEqual([]);
    expect(rig.control.failures.size).toBe(0);
  });

  test('one that takes another key gives the first one back, one that may not keeps it', async () => {
    rig.control.keys = apiKeys(apiKey('ci', { maxConnections: 1 }), apiKey('b', limited));
    await rig.control.authenticate(caller, secretOf('ci'));
    await refusal('wrong');
    expect(await refusal(secretOf('ci'), rig.connect(1002))).toMatchObject(most);
    await rig.control.authenticate(caller, secretOf('b'));
    const other = rig.connect(1002);
    await rig.control.authenticate(other, secretOf('ci'));
    expect(await refusal(secretOf('ci'))).toMatchObject(most);
    expect(rig.control.grant(caller).principal.name).toBe('b');
    rig.control.forget(other);
    await rig.control.authenticate(caller, secretOf('ci'));
  });

  test('the limit for all keys, and one of its own before it', async () => {
    rig.configure({}, { connectionsPerKey: 1 });
    rig.control.keys = apiKeys(apiKey('ci'), apiKey('own', limited));
    await rig.control.authenticate(rig.connect(1), secretOf('ci'));
    expect(await refusal(secretOf('ci'))).toMatchObject(most);
    await rig.control.authenticate(rig.connect(1), secretOf('own'));
    await rig.control.authenticate(rig.connect(1), secretOf('own'));
    expect(await refusal(secretOf('own'))).toMatchObject(most);
  });

  test('a limit that is lowered counts from the next request on: who came first stays', async () => {
    const open = [rig.connect(1), rig.connect(1), rig.connect(1)] as const;
    for (const one of open) await rig.control.authenticate(one, secretOf('ci'));
    rig.control.keys = apiKeys(apiKey('ci', limited));
    expect(rig.control.grant(open[0]).principal.name).toBe('ci');
    expect(rig.control.grant(open[1]).principal.name).toBe('ci');
    expect(() => rig.control.grant(open[2])).toThrow(expect.objectContaining(most));
    expect(rig.control.grantOrNone(open[2]).principal.scope).toBe('none');
    rig.configure({}, { connectionsPerKey: 1 }); // the key has one of its own
    expect(rig.control.grant(open[1]).principal.name).toBe('ci');
    rig.control.forget(open[0]);
    expect(rig.control.grant(open[2]).principal.name).toBe('ci');
    rig.control.keys = apiKeys(apiKey('ci'));
    expect(() => rig.control.grant(open[2])).toThrow(expect.objectContaining(most));
    rig.configure({});
    expect(rig.control.grant(open[2]).principal.name).toBe('ci');
  });

  test('whoever holds on to a revoked key takes nothing of one that gets its name', async () => {
    rig.control.keys = apiKeys(apiKey('ci', { maxConnections: 1 }));
    const before = rig.connect(1001);
    await rig.control.authenticate(before, secretOf('ci'));
    rig.control.keys = apiKeys(apiKey('ci', { maxConnections: 1 }, 2));
    await rig.control.authenticate(caller, secretOf('ci', 2));
    rig.control.forget(before);
    expect(await refusal(secretOf('ci', 2), rig.connect(1001))).toMatchObject(most);
  });
});

describe('the next request of an open connection', () => {
  test('goes by the rules that hold then', () => {
    expect(rig.control.grant(caller).principal.scope).toBe('none');
    rig.configure({ apps: ['1001'] });
    expect(rig.control.grant(caller).principal.scope).toBe('app');
    rig.configure({ readers: ['*'] });
    expect(rig.control.grant(caller).principal.scope).toBe('reader');
    rig.configure({});
    expect(rig.control.grant(caller).principal.scope).toBe('none');
  });

  test('goes by the keys that hold then', async () => {
    await rig.control.authenticate(caller, secretOf('ci'));
    const keyrings = () => rig.control.grant(caller).keyrings;
    rig.control.keys = apiKeys(apiKey('ci', { scope: 'reader', allowedKeyrings: ['ci'] }));
    expect(rig.control.grant(caller).principal.scope).toBe('reader');
    expect(keyrings()).toEqual(new Set(['ci']));
    rig.control.keys = apiKeys(apiKey('ci', { allowedKeyrings: [] }));
    expect(keyrings()).toEqual(new Set());
    rig.control.keys = apiKeys(apiKey('ci'));
    expect(keyrings()).toBeNull();
  });

  test.each<[string, LoadedApiKey[]]>([
    ['gone', [apiKey('reports')]],
    ['replaced', [apiKey('ci', {}, 2)]],
    ['user', [apiKey('ci', { users: new Set([1002]) })]],
    ['machine', [apiKey('ci', { allowedMachines: ['b'.repeat(64)] })]],
    ['expired', [apiKey('ci', { expires: 1 })]],
  ])(
    'is refused where the key is %s, and let through when it is as before',
    async (fault, keys) => {
      await rig.control.authenticate(caller, secretOf('ci'));
      const before = rig.control.keys;
      rig.control.keys = apiKeys(...keys);
      expect(faultOf(caller)).toBe(fault);
      expect(faultOf(caller)).toBe(fault);
      expect(rig.control.grantOrNone(caller)).toEqual({
        principal: { kind: 'user', name: '1001', uid: 1001, pid: 4711, scope: 'none' },
        allowances: [],
        keyrings: null,
        bounds: new Map(),
        signaturesPerSecond: null,
      });
      rig.control.keys = before;
      expect(faultOf(caller)).toBeNull();
    },
  );

  test('is refused from the moment on at which the key expires, without any reload', async () => {
    rig.control.keys = apiKeys(apiKey('ci', { expires: rig.clock.now() + 1000 }));
    await rig.control.authenticate(caller, secretOf('ci'));
    rig.clock.set(0.999);
    expect(faultOf(caller)).toBeNull();
    rig.clock.set(0.001);
    expect(faultOf(caller)).toBe('expired');
    expect(faultOf(caller)).toBe('expired');
  });

  test('of a user who has more than a key that is accepted no more: the key counts', async () => {
    const admin = rig.connect(agentUid);
    await rig.control.authenticate(admin, secretOf('ci'));
    rig.control.keys = apiKeys();
    expect(faultOf(admin)).toBe('gone');
    expect(rig.control.grantOrNone(admin).principal.scope).toBe('none');
    rig.control.keys = apiKeys(apiKey('other'));
    await rig.control.authenticate(admin, secretOf('other'));
    expect(faultOf(admin)).toBeNull();
  });
});

describe('operations that are recorded', () => {
  /** How many of so many at once are let through. */
  function taken(by: Caller, count: number, signatures = 0): number {
    const grant = rig.control.grant(by);
    return Array.from({ length: count }, () => {
      try {
        rig.control.takeOperation(by, grant, signatures);
        return 1;
      } catch (failure) {
        expect(failure).toMatchObject({ kind: 'rate_limited' });
        expect((failure as AgentError).details['retry_after_ms']).toBeGreaterThan(0);
        return 0;
      }
    }).reduce((sum: number, one) => sum + one, 0);
  }

  test('are few without a scope, each user for himself, and many with one', () => {
    rig.configure({ apps: ['2000'], readers: ['3000'] });
    expect(taken(rig.connect(1000), 100)).toBe(20);
    expect(taken(rig.connect(1000), 100)).toBe(0);
    expect(taken(rig.connect(1001), 100)).toBe(20);
    expect(taken(rig.connect(3000), 1000)).toBe(50);
    expect(taken(rig.connect(2000), 1000)).toBe(500);
    expect(taken(rig.connect(0), 5000)).toBe(2000);
    rig.clock.advance(1);
    expect(taken(rig.connect(1000), 100)).toBe(20);
  });

  test('as configured, signatures among them; without that, signatures have no limit here', () => {
    rig.configure({ apps: ['2000'] });
    expect(taken(rig.connect(2000), 5000, 1)).toBe(5000);
    rig.configure({ apps: ['2000'] }, { operationsPerSecondPerUid: 3 });
    expect(taken(rig.connect(2000), 10, 1)).toBe(3);
    expect(taken(rig.connect(2000), 10)).toBe(0);
    // Nobody keeps an admin from taking things back.
    expect(taken(rig.connect(0), 100)).toBe(100);
  });
});

describe('signatures', () => {
  const taken = (by: Caller): boolean => {
    try {
      rig.control.takeSignatures(rig.control.grant(by), 1);
      return true;
    } catch (failure) {
      expect(failure).toMatchObject({ kind: 'rate_limited' });
      return false;
    }
  };

  test('no limit unless there is one', () => {
    for (let count = 0; count < 10_000; count += 1) expect(taken(caller)).toBe(true);
  });

  test('count for the user, over all connections, whether with a key or without', async () => {
    rig.configure({}, { signaturesPerSecondPerUid: 3 });
    const again = rig.connect(1001);
    await rig.control.authenticate(again, secretOf('ci'));
    expect([caller, again, caller, again, caller].map(taken)).toEqual([
      ...[true, true, true, false, false],
    ]);
    expect(taken(rig.connect(1002))).toBe(true);
  });

  test('count for the key, over all users; its own limit goes before that of all keys', async () => {
    rig.configure({}, { signaturesPerSecondPerKey: 1 });
    rig.control.keys = apiKeys(apiKey('ci'), apiKey('own', { maxSignaturesPerSecond: 2 }));
    const other = rig.connect(1002);
    for (const one of [caller, other]) await rig.control.authenticate(one, secretOf('ci'));
    expect([caller, other].map(taken)).toEqual([true, false]);
    for (const one of [caller, other]) await rig.control.authenticate(one, secretOf('own'));
    expect([caller, other, caller].map(taken)).toEqual([true, true, false]);
    rig.clock.advance(0.5);
    expect([caller, other].map(taken)).toEqual([true, false]);
    expect(taken(rig.connect(1001))).toBe(true); // without a key there is none of a key
  });

  test('a limit that is configured later counts on open connections', async () => {
    await rig.control.authenticate(caller, secretOf('ci'));
    expect([caller, caller].map(taken)).toEqual([true, true]);
    rig.configure({}, { signaturesPerSecondPerKey: 1 });
    expect([caller, caller].map(taken)).toEqual([true, false]);
  });
});

describe('last use of a key', () => {
  test('is that of its last request, and not kept for another key of that name', async () => {
    expect(rig.control.lastUsed('ci')).toBeNull();
    await rig.control.authenticate(caller, secretOf('ci'));
    const first = rig.clock.now();
    expect(rig.control.lastUsed('ci')).toBe(first);
    rig.clock.advance(60);
    expect(rig.control.lastUsed('ci')).toBe(first);
    rig.control.grant(caller);
    expect(rig.control.lastUsed('ci')).toBe(first + 60_000);
    rig.control.keys = apiKeys(apiKey('ci', { note: 'changed' }));
    expect(rig.control.lastUsed('ci')).toBe(first + 60_000);
    rig.control.keys = apiKeys(apiKey('ci', {}, 2));
    expect(rig.control.lastUsed('ci')).toBeNull();
    rig.control.keys = apiKeys();
    expect(rig.control.lastUsed('ci')).toBeNull();
  });

  test('is no attempt that failed', async () => {
    await refusal(secretOf('ci', 2));
    rig.control.keys = apiKeys(apiKey('ci', { expires: 1 }));
    await refusal(secretOf('ci'));
    expect(rig.control.lastUsed('ci')).toBeNull();
  });
});

test('warnings of rules and of keys', () => {
  rig.configure({ apps: ['nobody-here'] });
  rig.control.keys = { ...apiKeys(), warnings: ['API key old has no scope'] };
  expect(rig.control.warnings).toEqual([
    'access.apps: there is no user "nobody-here" here, so it allows nobody',
    'API key old has no scope',
  ]);
});

test('who is no admin of the whole agent is not told of API keys, nor a key for some keyrings of anything', async () => {
  rig.configure({ readers: ['nobody-of-that-name', '1001'] });
  const refused = 'API key old is refused: it has no scope';
  rig.control.keys = {
    ...apiKeys(apiKey('root', { scope: 'admin' }), apiKey('ci', { allowedKeyrings: ['ci'] })),
    warnings: [refused],
  };
  const unknown = expect.stringContaining('nobody-of-that-name') as string;
  const told = (by: Caller) => rig.control.warningsFor(rig.control.grant(by));
  expect(told(rig.connect(agentUid))).toEqual([unknown, refused]);
  expect(told(caller)).toEqual([unknown]);
  await rig.control.authenticate(caller, secretOf('root'));
  expect(told(caller)).toEqual([unknown, refused]);
  await rig.control.authenticate(caller, secretOf('ci'));
  expect(told(caller)).toEqual([]);
});
