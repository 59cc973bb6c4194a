import { beforeEach, expect, test } from 'vitest';
import { Shares } from '../../src/access/share.ts';
import { Queue } from '../../src/request/queue.ts';
import { AccessRig, agentUid } from '../support/access-control.ts';
import { apiKey, apiKeys, secretOf } from '../support/api-keys.ts';

let rig: AccessRig;
let shares: Shares;
beforeEach(() => {
  rig = new AccessRig(apiKeys(apiKey('ci'), apiKey('web')));
  rig.configure({ apps: ['1001'] });
  shares = new Shares(rig.control);
});

test("root and the agent's user have shares of their own kind", () => {
  expect(shares.of(rig.connect(0))).toEqual({ kind: 'own', name: 'uid 0' });
  expect(shares.of(rig.connect(agentUid))).toEqual({ kind: 'own', name: `uid ${agentUid}` });
});

test('a user has one, with an API key too', async () => {
  const caller = rig.connect(1001);
  const before = shares.of(caller);
  expect(before).toEqual({ kind: 'user', name: 'uid 1001' });
  await rig.control.authenticate(caller, secretOf('ci'));
  // The same object: a connection moves where it is another one.
  expect(shares.of(caller)).toBe(before);
});

test('all uids without a scope have one together', () => {
  const strangers = [100_000, 100_001, 165_535].map((uid) => shares.of(rig.connect(uid)));
  expect(new Set(strangers).size).toBe(1);
  expect(strangers[0]?.kind).toBe('stranger');
  expect(shares.of(rig.connectOverNetwork())).toBe(strangers[0]);
});

test('of them who authenticates goes by the API key, whatever the uid', async () => {
  const [one, other, third] = [rig.connect(100_000), rig.connect(100_001), rig.connect(100_002)];
  await rig.control.authenticate(one, secretOf('ci'));
  await rig.control.authenticate(other, secretOf('ci'));
  await rig.control.authenticate(third, secretOf('web'));
  expect(shares.of(one)).toEqual({ kind: 'user', name: 'key ci' });
  expect(shares.of(other).name).toBe('key ci');
  expect(shares.of(third).name).toBe('key web');
  rig.control.withdraw(one);
  expect(shares.of(one).kind).toBe('stranger');
});

test('the rules of the moment decide', () => {
  const caller = rig.connect(1002);
  expect(shares.of(caller).kind).toBe('stranger');
  rig.configure({ readers: ['*'] });
  expect(shares.of(caller)).toEqual({ kind: 'user', name: 'uid 1002' });
});

test('a part of the queue is kept for root', () => {
  const queue = new Queue(64);
  queue.enter('uid 1', { count: 48 });
  queue.enter('uid 2', { count: 12 });
  expect(() => {
    queue.enter('uid 3');
  }).toThrow(expect.objectContaining({ kind: 'overloaded' }));
  queue.enter('uid 0', { count: 4, isOwn: true });
  queue.leave('uid 2', 12);
  queue.enter('uid 3');
});
