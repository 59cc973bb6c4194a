import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Caller } from '../../src/access/caller.ts';
import { RecordFolding } from '../../src/audit/record-folding.ts';
import { admission } from '../../src/request/admission.ts';
import { Queue } from '../../src/request/queue.ts';
import { AgentLocks } from '../../src/server/ssh-agent/locks.ts';
import { apiKey, apiKeys, secretOf } from '../support/api-keys.ts';
import type { Answer } from '../support/line-client.ts';
import { RequestRig } from '../support/request-rig.ts';
import { failure, listRequest, lockRequest, success } from '../support/ssh-agent-client.ts';

const message_b64 = Buffer.from('hello').toString('base64url');
const everybody = ['*'];
const address = '192.0.2.7:52114';

let rig: RequestRig;
let stranger: Caller;
let reader: Caller;
beforeAll(async () => {
  rig = await new RequestRig().open();
});
afterAll(() => rig.remove());
beforeEach(() => {
  rig.events.length = 0;
  rig.signatures = 0;
  rig.access.lines.length = 0;
  rig.access.configure({ apps: everybody, readers: everybody });
  rig.access.control.keys = apiKeys(apiKey('ci'), apiKey('ada', { users: new Set([1001]) }));
  stranger = rig.access.connectOverNetwork();
  reader = rig.access.connectOverNetwork('reader');
});

function kindOf({ error }: Answer): string {
  return error?.data.kind ?? 'done';
}

describe('a client of the network', () => {
  test('may do what everybody may, and is nobody of this machine', async () => {
    expect(kindOf(await rig.call(stranger, 'ping', {}))).toBe('done');
    const { result } = await rig.call(stranger, 'whoami', {});
    expect(result?.['principal']).toEqual({
      kind: 'network',
      name: address,
      uid: null,
      pid: null,
      scope: 'none',
    });
  });

  test('is not one of "*", which is every user of this machine', async () => {
    const local = rig.access.connect(1001);
    expect(kindOf(await rig.call(local, 'sign', { message_b64 }))).toBe('done');
    rig.events.length = 0;
    for (const method of ['sign', 'status', 'list_valid_pubkeys']) {
      const answer = await rig.call(stranger, method, method === 'sign' ? { message_b64 } : {});
      expect(answer.error?.data.kind).toBe('forbidden');
      expect(answer.error?.message).toContain(`${address} has scope none`);
    }
    expect(rig.signatures).toBe(1);
    expect(rig.events.map(({ method, outcome }) => [method, outcome])).toEqual([
      ['sign', 'refused'],
      ['status', 'refused'],
      ['list_valid_pubkeys', 'refused'],
    ]);
  });

  test('has what its listener gives it, and no more', async () => {
    expect(kindOf(await rig.call(reader, 'list_valid_pubkeys', {}))).toBe('done');
    expect(kindOf(await rig.call(reader, 'sign', { message_b64 }))).toBe('forbidden');
    expect(kindOf(await rig.call(reader, 'rotate', { grace_seconds: 0 }))).toBe('forbidden');
    expect(rig.signatures).toBe(0);
  });

  test('signs with an API key, unless that is for some users', async () => {
    const refused = rig.call(stranger, 'authenticate', { api_key: secretOf('ada') });
    rig.access.endPauses();
    expect(kindOf(await refused)).toBe('unauthenticated');
    expect(kindOf(await rig.call(stranger, 'sign', { message_b64 }))).toBe('forbidden');
    const { result } = await rig.call(stranger, 'authenticate', { api_key: secretOf('ci') });
    expect(result?.['principal']).toEqual({
      kind: 'api_key',
      name: 'ci',
      uid: null,
      pid: null,
      scope: 'app',
      api_key: 'ci',
    });
    expect(kindOf(await rig.call(stranger, 'sign', { message_b64 }))).toBe('done');
    expect(rig.events.at(-1)).toMatchObject({ method: 'sign', principal: { api_key: 'ci' } });
  });

  test('is named in the log by its address, and by no uid', async () => {
    await rig.call(stranger, 'sign', { message_b64 });
    const refused = rig.access.lines.find(({ msg }) => msg === 'refused');
    expect(refused).toMatchObject({ method: 'sign', address, kind: 'forbidden' });
    expect(refused).not.toHaveProperty('uid');
    expect(refused).not.toHaveProperty('exe_best_effort');
  });

  test('has nothing of the SSH agent, whose locks are by user', async () => {
    const locks = new AgentLocks({
      pause: () => Promise.resolve(),
      randomBytes: (size) => Buffer.alloc(size),
    });
    const keyed = rig.access.connectOverNetwork();
    await rig.call(keyed, 'authenticate', { api_key: secretOf('ci') });
    for (const caller of [stranger, reader, keyed]) {
      const ask = rig.ssh(caller, locks);
      expect(await ask(listRequest)).toEqual(failure);
      expect(await ask(lockRequest('secret'))).toEqual(failure);
    }
    const local = rig.ssh(rig.access.connect(1001), locks);
    expect(await local(lockRequest('secret'))).toEqual(success);
  });
});

describe('what all clients of the network have together, whatever their addresses', () => {
  const clients = Array.from(
    { length: 4 },
    (_, at) => new Caller({ kind: 'network', address: `192.0.2.${at}:1`, scope: 'none' }),
  );

  test('their share of the queue, which leaves room for the users of this machine', () => {
    const counters = { requests: 0, errors: 0 };
    const entrance = admission(new Queue(4), counters, () => false);
    const [first, second, third, fourth] = clients;
    if (!first || !second || !third || !fourth) throw new Error('four are needed');
    for (const caller of [first, second, third]) entrance.enter(caller);
    expect(() => {
      entrance.enter(fourth);
    }).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    entrance.enter(rig.access.connect(1001));
    entrance.leave(first, false);
    entrance.enter(fourth);
    expect(counters).toEqual({ requests: 6, errors: 1 });
  });

  test('their count of failed attempts to authenticate', async () => {
    const before = rig.access.control.failures.get('network') ?? 0;
    for (const caller of clients) {
      const answer = rig.call(caller, 'authenticate', { api_key: 'sa_none' });
      rig.access.endPauses();
      expect(kindOf(await answer)).toBe('unauthenticated');
    }
    expect(rig.access.control.failures.get('network')).toBe(before + clients.length);
  });

  test('their refusals, which are counted from the fifth of a minute on', async () => {
    for (const caller of clients) await rig.call(caller, 'sign', { message_b64 });
    const folding = new RecordFolding();
    const refusals = Array.from({ length: 5 }, () => rig.events).flat();
    expect(refusals.filter((event) => !folding.fold(event, 0))).toHaveLength(4);
    expect(folding.close(60_000)).toMatchObject([{ count: 16 }]);
  });
});
