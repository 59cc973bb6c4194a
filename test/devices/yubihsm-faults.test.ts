import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { refusal, until } from '../support/faulty-agent.ts';
import { DeviceRig } from './device-rig.ts';
import { yubihsm } from './devices.ts';
import { makeYubiHsmToken, type YubiHsmToken } from './setup/yubihsm.ts';
import type { DeviceOptions } from './yubihsm/device.ts';
import { mostSessions } from './yubihsm/sessions.ts';

/** What befalls a YubiHSM 2 and its connector, emulated: replies that are lost, sessions that end, no room. */

const label = 'signing-agent/default';
let token: YubiHsmToken;
let rig: DeviceRig;
const rigs: DeviceRig[] = [];

async function start(options: DeviceOptions = {}): Promise<void> {
  token = await makeYubiHsmToken(options);
  rig = new DeviceRig(yubihsm, 'ed25519', token);
  rigs.push(rig);
  await rig.running();
}
const keysInDevice = (): number =>
  token.connector.device.objects
    .all()
    .filter((object) => object.key !== null && object.label.toString().startsWith(label)).length;
/** Resolves when the agent signs again, by itself. */
const recovered = (): Promise<void> =>
  until('a signature after the fault', () => rig.sign().then(Boolean, () => false));

afterEach(async () => {
  for (const one of rigs.splice(0)) await one.remove();
});

describe('one fault, and the agent goes on by itself', () => {
  beforeEach(() => start());

  test('the sessions of the device are gone', async () => {
    const kid = await rig.sign();
    token.connector.order('session-loss');
    await recovered();
    expect(await rig.sign()).toBe(kid);
  });

  test('the reply to a signature is lost', async () => {
    token.connector.order('lost-reply', { command: 'signEddsa' });
    await recovered();
  });

  test('the device is busy', async () => {
    token.connector.order('busy', { command: 'signEddsa' });
    await recovered();
    token.connector.order('busy', { times: 2 });
    await recovered();
  });

  test('the connector goes away and comes back', async () => {
    await token.connector.goAway();
    expect((await refusal(rig.sign())).kind).toBe('backend_unavailable');
    await token.connector.comeBack();
    await recovered();
  });

  test('the reply to a new key is lost: no key is left over in the device', async () => {
    const client = await rig.running();
    const before = await rig.sign();
    token.connector.order('lost-reply', { command: 'generateAsymmetricKey' });
    const made = await client.rotate(0).then(
      ({ new_active_kid }) => new_active_kid,
      () => before,
    );
    await recovered();
    expect(await rig.sign()).toBe(made);
    await rig.restart();
    expect(await rig.sign()).toBe(made);
    await (await rig.running()).pruneExpiredGrace();
    expect(keysInDevice()).toBe(1);
  });
});

test('before firmware 2.4 a message has 2026 bytes at most', async () => {
  await start({ firmware: '2.3.2' });
  await rig.sign({ message: randomBytes(2026) });
  const client = await rig.running();
  expect(await refusal(client.sign(randomBytes(2027)))).toMatchObject({
    kind: 'too_large',
    details: { limit: 2026 },
  });
});

test('a device with all its objects: a rotation is refused, and the keys that are there sign', async () => {
  await start();
  const { objects } = token.connector.device;
  const kid = await rig.sign();
  const [pattern] = objects.all();
  if (pattern === undefined) throw new Error('the device has an authentication key');
  while (objects.size < 256) objects.put({ ...pattern, type: 1, id: objects.unusedId(1) });
  const client = await rig.running();
  expect((await refusal(client.rotate(0))).message).not.toBe('');
  expect(await rig.sign()).toBe(kid);
  await rig.restart();
  expect(await rig.sign()).toBe(kid);
});

test('sessions of others fill the device: the agent starts once there is one', async () => {
  await start({ idleMs: 3000 });
  const kid = await rig.sign();
  await rig.stop();
  const { objects, sessions } = token.connector.device;
  const login = objects.find(2, 1);
  while (sessions.open < mostSessions) sessions.create(login, randomBytes(8));
  const refused = await rig.refusedStart();
  expect(refused.code).toBe(4);
  expect(refused.err).toMatch(/CKR_[A-Z_]+/);
  await until('a free session', () => sessions.open < mostSessions);
  expect(await rig.sign()).toBe(kid);
});

test('an agent that ends in order leaves no session in the device', async () => {
  await start();
  const { sessions } = token.connector.device;
  await rig.sign();
  expect(sessions.open).toBeGreaterThan(0);
  await rig.stop();
  expect(sessions.open).toBe(0);
});
