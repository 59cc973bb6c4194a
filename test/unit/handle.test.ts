import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { recipientOf } from '../../src/formats/age/age-recipient.ts';
import type { Caller } from '../../src/access/caller.ts';
import type { AuditEvent } from '../../src/audit/audit.ts';
import { AgentError } from '../../src/base/errors.ts';
import { apiKey, apiKeys, secretOf } from '../support/api-keys.ts';
import type { Answer } from '../support/line-client.ts';
import { RequestRig } from '../support/request-rig.ts';

const message = Buffer.from('hello');
const message_b64 = message.toString('base64url');

let rig: RequestRig;
let admin: Caller;
let stranger: Caller;
beforeAll(async () => {
  rig = await new RequestRig().open();
});
afterAll(() => rig.remove());
beforeEach(() => {
  rig.trouble = null;
  rig.fault = null;
  rig.events.length = 0;
  rig.used.length = 0;
  rig.access.lines.length = 0;
  rig.signatures = 0;
  rig.access.control.keys = apiKeys(apiKey('ci'));
  admin = rig.access.connect(0);
  stranger = rig.access.connect(1001);
});

/** The log, but for what the keyrings say of themselves. */
function logged(): Record<string, unknown>[] {
  return rig.access.lines.filter(({ msg }) =>
    ['changed', 'refused', 'a request failed by a fault of the agent'].includes(String(msg)),
  );
}

function kindOf({ error }: Answer): string {
  return error?.data.kind ?? 'done';
}

const record = (change: Partial<AuditEvent>): object => ({
  ...{ subject: null, kind: null, reason: null, of: null, messages: [], ...change },
});

describe('what is recorded', () => {
  test('as many connections as there may be authenticate at once', async () => {
    for (let left = 200; left > 0; left -= 1) {
      const answer = await rig.call(rig.access.connect(2001), 'authenticate', {
        api_key: secretOf('ci'),
      });
      expect(kindOf(answer)).toBe('done');
    }
  });

  test('of a signature: that it was made, of what, with which key', async () => {
    const { result } = await rig.call(admin, 'sign', { message_b64 });
    expect(rig.events).toMatchObject([
      record({ method: 'sign', keyring: 'default', outcome: 'done', messages: [message] }),
    ]);
    expect(rig.events[0]?.kid).toBe(result?.['kid']);
    expect(rig.events[0]?.caller).toBe(admin);
    expect(rig.events[0]?.principal).toMatchObject({ uid: 0, pid: 4711, scope: 'admin' });
    await rig.call(admin, 'sign_batch', { keyring: 'ci', messages_b64: [message_b64, ''] });
    expect(rig.events[1]).toMatchObject({ keyring: 'ci', messages: [message, Buffer.alloc(0)] });
  });

  test('of a change: that it is about to be made, and how it ended', async () => {
    await rig.call(admin, 'rotate', { grace_seconds: 60 });
    expect(rig.events).toMatchObject([
      record({ method: 'rotate', keyring: 'default', outcome: 'begun', kid: null }),
      record({ method: 'rotate', keyring: 'default', outcome: 'done', of: 1 }),
    ]);
    expect(rig.events[1]?.kid).toBe(await rig.activeKid('default'));
    rig.events.length = 0;
    await rig.call(admin, 'revoke', { kid: '00000000' });
    expect(rig.events).toMatchObject([
      { outcome: 'begun', kid: '00000000' },
      { outcome: 'refused', kid: '00000000', kind: 'unknown_kid', of: 1 },
    ]);
  });

  test('of what only looks: nothing, unless access refuses it', async () => {
    await rig.call(admin, 'status', {});
    await rig.call(admin, 'list_keys', { keyring: 'absent' });
    await rig.call(admin, 'list_keys', { surplus: 1 });
    await rig.call(stranger, 'ping', {});
    expect(rig.events).toEqual([]);
    await rig.call(stranger, 'status', {});
    expect(rig.events).toMatchObject([{ method: 'status', outcome: 'refused', kind: 'forbidden' }]);
  });

  test('of a look that only its act can refuse: that it was refused', async () => {
    rig.refusal = new AgentError('forbidden', 'that is for others');
    await rig.call(admin, 'status', {});
    rig.refusal = new AgentError('not_found', 'there is no such thing');
    await rig.call(admin, 'status', {});
    rig.refusal = null;
    expect(rig.events).toMatchObject([
      { method: 'status', outcome: 'refused', kind: 'forbidden', reason: 'that is for others' },
    ]);
  });

  test('of a client key that is registered: which one', async () => {
    const publicKey = Buffer.alloc(32, 9);
    await rig.call(admin, 'clientkey_register', { public_key: publicKey.toString('base64url') });
    expect(rig.events.map(({ outcome, subject }) => [outcome, subject])).toEqual([
      ['begun', recipientOf(publicKey)],
      ['refused', recipientOf(publicKey)],
    ]);
  });

  test('of a client key that is registered already: no more than that it was tried', async () => {
    rig.foreseen = new AgentError('already_exists', 'this key is registered already');
    const public_key = Buffer.alloc(32, 9).toString('base64url');
    expect(kindOf(await rig.call(admin, 'clientkey_register', { public_key }))).toBe(
      'already_exists',
    );
    rig.foreseen = new AgentError('rate_limited', 'too many client keys');
    await rig.call(admin, 'clientkey_register', { public_key });
    expect(rig.events).toMatchObject([
      { outcome: 'refused', kind: 'already_exists', repeats: 'counted' },
      { outcome: 'refused', kind: 'rate_limited' },
    ]);
    expect(rig.events[1]).not.toHaveProperty('repeats');
    rig.foreseen = null;
  });

  test('of an API key once for a connection, and equal ones are to be counted', async () => {
    const caller = rig.access.connect(1001);
    rig.access.control.keys = apiKeys(apiKey('ci'), apiKey('other'));
    for (const id of ['ci', 'ci', 'other', 'ci']) {
      await rig.call(caller, 'authenticate', { api_key: secretOf(id) });
    }
    expect(rig.events.map(({ subject, repeats }) => [subject, repeats])).toEqual([
      ['ci', 'folded'],
      ['other', 'folded'],
      ['ci', 'folded'],
    ]);
  });

  test('of a secret that is sealed: whom it was for', async () => {
    const seal_to = `ck_${'0'.repeat(32)}`;
    await rig.call(admin, 'apikey_create', { id: 'deploy', scope: 'app', seal_to });
    await rig.call(admin, 'apikey_create', { id: 'deploy', scope: 'app' });
    expect(rig.events.filter(({ outcome }) => outcome === 'begun')).toMatchObject([
      { subject: `deploy,${seal_to}` },
      { subject: 'deploy' },
    ]);
  });

  test('of a refusal: its kind and why', async () => {
    await rig.call(stranger, 'sign', { message_b64 });
    await rig.call(admin, 'sign', { message_b64, kid: 'ffffffff' });
    await rig.call(admin, 'rotate', { grace_seconds: -1 });
    expect(rig.events).toMatchObject([
      { principal: { scope: 'none' }, messages: [], outcome: 'refused', kind: 'forbidden' },
      { kid: 'ffffffff', messages: [message], outcome: 'refused', kind: 'unknown_kid' },
      { outcome: 'refused', kind: 'invalid_params', messages: [], of: null },
    ]);
    expect(rig.events[0]?.reason).toMatch(/^sign needs scope app/);
    expect(rig.events[2]?.reason).toMatch(/^grace_seconds: /);
  });

  test('of an API key: which one, whether it was accepted, and why not, never the secret', async () => {
    const caller = rig.access.connect(1001);
    await rig.call(caller, 'authenticate', { api_key: secretOf('ci') });
    for (const api_key of [secretOf('ci', 2), 'no key at all']) {
      const answer = rig.call(caller, 'authenticate', { api_key });
      rig.access.endPauses();
      expect(kindOf(await answer)).toBe('unauthenticated');
    }
    expect(rig.events).toMatchObject([
      record({ method: 'authenticate', outcome: 'done', subject: 'ci' }),
      { outcome: 'refused', subject: 'ci', kind: 'unauthenticated' },
      { outcome: 'refused', subject: null, kind: 'unauthenticated' },
    ]);
    expect(rig.events.map(({ reason }) => reason)).toEqual([
      null,
      'secret: the secret is not that of the API key',
      'form: what was given has not the form of an API key',
    ]);
    const said = JSON.stringify([rig.events, rig.access.lines]);
    for (const version of [1, 2]) {
      expect(said).not.toContain(secretOf('ci', version).slice('sa_ci_'.length));
    }
    expect(said).not.toContain('no key at all');
  });

  test('of a PIN that is refused: not the PIN', async () => {
    await rig.call(admin, 'unlock', { pin: 'seven-dwarfs' });
    await rig.call(admin, 'unlock', { pin: 'seven-dwarfs\u0000' });
    expect(rig.events.length).toBeGreaterThan(2);
    expect(JSON.stringify([rig.events, rig.access.lines])).not.toContain('dwarfs');
  });
});

describe('where nothing can be recorded', () => {
  test('nothing is signed', async () => {
    rig.trouble = 'known';
    for (const method of ['sign', 'sign_batch']) {
      const params = method === 'sign' ? { message_b64 } : { messages_b64: [message_b64] };
      expect(kindOf(await rig.call(admin, method, params))).toBe('audit_unavailable');
    }
    expect(rig.used).toEqual([]);
    expect(rig.signatures).toBe(0);
  });

  test('a signature that was made by then does not leave', async () => {
    rig.trouble = 'unknown';
    const answer = await rig.call(admin, 'sign', { message_b64 });
    expect(kindOf(answer)).toBe('audit_unavailable');
    expect(rig.signatures).toBe(1);
    expect(JSON.stringify(answer)).not.toContain('signature');
  });

  test('a connection has nothing of an API key that it authenticated with by then', async () => {
    rig.trouble = 'unknown';
    const answer = await rig.call(stranger, 'authenticate', { api_key: secretOf('ci') });
    expect(kindOf(answer)).toBe('audit_unavailable');
    rig.trouble = null;
    const { result } = await rig.call(stranger, 'whoami', {});
    expect(result?.['principal']).toMatchObject({ kind: 'user', uid: 1001, scope: 'none' });
    expect(kindOf(await rig.call(stranger, 'sign', { message_b64 }))).toBe('forbidden');
  });

  test('nothing is changed', async () => {
    const before = rig.state();
    for (const trouble of ['known', 'unknown'] as const) {
      rig.trouble = trouble;
      for (const method of ['rotate', 'prepare', 'revoke', 'prune_expired_grace', 'reload']) {
        const params = {
          ...(method === 'rotate' ? { grace_seconds: 0 } : {}),
          ...(method === 'revoke' ? { kid: await rig.activeKid('default') } : {}),
        };
        expect(kindOf(await rig.call(admin, method, params))).toBe('audit_unavailable');
      }
    }
    expect(rig.used).toEqual([]);
    expect(rig.state()).toBe(before);
  });

  test('what only looks goes on, and what is not let through is not let through', async () => {
    rig.trouble = 'known';
    for (const method of ['ping', 'whoami', 'status', 'list_keys']) {
      expect(kindOf(await rig.call(admin, method, {}))).toBe('done');
    }
    const answer = await rig.call(stranger, 'sign', { message_b64 });
    expect(kindOf(answer)).not.toBe('done');
    expect(rig.signatures).toBe(0);
  });

  test('it goes on when it can be recorded again', async () => {
    rig.trouble = 'known';
    await rig.call(admin, 'sign', { message_b64 });
    rig.trouble = null;
    expect(kindOf(await rig.call(admin, 'sign', { message_b64 }))).toBe('done');
    expect(rig.events).toHaveLength(1);
  });
});

describe('the log', () => {
  const who = { uid: 0, pid: 4711, exe_best_effort: '/bin/x' };

  test('has who changed something, and who was refused', async () => {
    await rig.call(admin, 'rotate', { grace_seconds: 60 });
    await rig.call(stranger, 'rotate', { grace_seconds: 60 });
    expect(logged()).toMatchObject([
      { ...who, level: 30, msg: 'changed', method: 'rotate', keyring: 'default' },
      { ...who, uid: 1001, level: 20, msg: 'refused', method: 'rotate', kind: 'forbidden' },
    ]);
  });

  test('has the API key, also one that is accepted no more', async () => {
    const caller = rig.access.connect(1001);
    await rig.call(caller, 'authenticate', { api_key: secretOf('ci') });
    await rig.call(caller, 'rotate', { grace_seconds: 60 });
    rig.access.control.keys = apiKeys();
    await rig.call(caller, 'rotate', { grace_seconds: 60 });
    expect(logged()).toMatchObject([
      { api_key: 'ci', kind: 'forbidden' },
      { api_key: 'ci', kind: 'unauthenticated', reason: 'gone: the API key was revoked' },
    ]);
  });

  test('has what went wrong in the agent; the caller gets its number, and no more', async () => {
    rig.fault = new TypeError('x is not a function');
    const { error } = await rig.call(admin, 'sign', { message_b64 });
    expect(error?.data.kind).toBe('internal');
    expect(error?.message).not.toContain('x is not');
    expect(logged()).toMatchObject([
      { ...who, level: 50, error_id: error?.data['error_id'], reason: 'x is not a function' },
    ]);
    expect(rig.events).toMatchObject([{ outcome: 'failed', kind: 'internal' }]);
  });

  test('has nothing of messages', async () => {
    rig.fault = new AgentError('conflict', 'someone else was faster');
    await rig.call(admin, 'sign', { message_b64 });
    expect(rig.events).toMatchObject([{ outcome: 'failed', kind: 'conflict' }]);
    const said = JSON.stringify(rig.access.lines);
    expect(said).not.toContain(message_b64);
    expect(said).not.toContain(createHash('sha256').update(message).digest('hex'));
  });
});

test('a method that there is not is told to anybody, and is no record', async () => {
  for (const name of ['no_such_method', 'constructor', '__proto__', 'Sign']) {
    expect(kindOf(await rig.call(stranger, name, {}))).toBe('method_not_found');
  }
  expect(rig.events).toEqual([]);
});

test('every request that was admitted leaves again, and failures count as such', async () => {
  const before = rig.failed;
  rig.trouble = 'unknown';
  await Promise.all([
    ...['ping', 'status', 'no_such_method'].map((name) => rig.call(admin, name, {})),
    rig.call(stranger, 'status', {}),
    rig.call(admin, 'sign', { message_b64 }),
  ]);
  expect(rig.inside).toBe(0);
  expect(rig.failed - before).toBe(3);
});

test('nobody has signed what looks like a record of the audit log', async () => {
  const reserved = Buffer.from('signing-agent/audit/v1\n{"v":1}').toString('base64url');
  const ordinary = Buffer.from('signing-agent/audit/v1 is a prefix').toString('base64url');
  const one = await rig.call(admin, 'sign', { message_b64: reserved });
  expect(kindOf(one)).toBe('not_supported');
  const several = await rig.call(admin, 'sign_batch', { messages_b64: [ordinary, reserved] });
  expect(kindOf(several)).toBe('not_supported');
  expect(rig.signatures).toBe(0);
  expect(rig.events).toMatchObject([
    { method: 'sign', outcome: 'refused', kind: 'not_supported' },
    { method: 'sign_batch', outcome: 'refused', kind: 'not_supported' },
  ]);
  expect(kindOf(await rig.call(admin, 'sign', { message_b64: ordinary }))).toBe('done');
});

test('params of whoever may not call are not looked at', async () => {
  const { error } = await rig.call(stranger, 'sign', { surplus: 1 });
  expect(error?.data).toEqual({ kind: 'forbidden', needs: 'app' });
});

test('a text that has no UTF-8 is not taken for the domain that it would be written as', async () => {
  const { error } = await rig.call(admin, 'trust_remove', { cluster_domain: '\ud800' });
  expect(error).toMatchObject({
    data: { kind: 'invalid_params', issues: [{ field: 'cluster_domain' }] },
  });
});
