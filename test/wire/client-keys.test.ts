import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { LineClient } from '../support/line-client.ts';

const open: { close(): void }[] = [];
const agents: InProcessAgent[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) one.close();
  for (const agent of agents.splice(0)) await agent.remove();
});

async function started(): Promise<InProcessAgent> {
  const agent = new InProcessAgent();
  agents.push(agent);
  return agent.start();
}

async function clientOf(agent: InProcessAgent): Promise<LineClient> {
  const client = await LineClient.open(agent.socket);
  open.push(client);
  return client;
}

function newIdentity(folder: string, name: string): string {
  const file = join(folder, name);
  execFileSync('age-keygen', ['-o', file], { stdio: 'ignore' });
  return execFileSync('age-keygen', ['-y', file]).toString().trim();
}

it('keeps client keys in the database through a restart, and makes none before the first', async () => {
  const agent = await started();
  const database = join(agent.folder, 'state', 'agent.db');
  const client = await clientOf(agent);
  expect((await client.call('clientkey_list')).result).toEqual({ keys: [] });
  expect(existsSync(database)).toBe(false);

  const recipient = newIdentity(agent.folder, 'id.txt');
  const uid = String(process.geteuid?.());
  const registered = await client.call('clientkey_register', {
    public_key: recipient,
    label: 'laptop',
  });
  expect(registered.result).toMatchObject({
    id: expect.stringMatching(/^ck_[0-9a-f]{32}$/) as string,
    actor: { kind: 'user', id: uid },
    recipient,
    label: 'laptop',
    created_at: '2026-05-14T17:55:00.000Z',
    last_used_at: null,
    revoked_at: null,
  });
  expect(existsSync(database)).toBe(true);

  await agent.stop();
  await agent.start();
  const again = await clientOf(agent);
  expect((await again.call('clientkey_list')).result).toEqual({ keys: [registered.result] });
});

it('lists the newest first, revoked ones among them', async () => {
  const agent = await started();
  const client = await clientOf(agent);
  const ids: unknown[] = [];
  for (const label of ['a', 'b', 'c']) {
    const public_key = newIdentity(agent.folder, label);
    const { result } = await client.call('clientkey_register', { public_key, label });
    ids.unshift(result?.['id']);
    agent.clock.advance(1);
  }
  const listed = async (params: object = {}): Promise<unknown[]> => {
    const { result } = await client.call('clientkey_list', params);
    return (result?.['keys'] as { id: string }[]).map(({ id }) => id);
  };
  expect(await listed()).toEqual(ids);
  await client.call('clientkey_revoke', { id: ids[1] });
  expect(await listed()).toEqual([ids[0], ids[2]]);
  expect(await listed({ include_revoked: true })).toEqual(ids);
});

it('names the field that a client key is refused for, and repeats no key', async () => {
  const client = await clientOf(await started());
  const refused: [string, object, string, RegExp][] = [
    ['clientkey_register', {}, 'public_key', /expected string/],
    ['clientkey_register', { public_key: 'AAAA' }, 'public_key', /has 3 bytes/],
    [
      'clientkey_register',
      { public_key: 'AGE-SECRET-KEY-1QQQQ' },
      'public_key',
      /is a private key/,
    ],
    ['clientkey_register', { public_key: `${'A'.repeat(43)}=` }, 'public_key', /low order/],
    ['clientkey_register', { public_key: 'a'.repeat(3000) }, 'public_key', /Too big/],
    ['clientkey_register', { public_key: 'x', label: 'a\nb' }, 'label', /one line of text/],
    ['clientkey_register', { public_key: 'x', label: 'a'.repeat(101) }, 'label', /Too big/],
    [
      'clientkey_register',
      { public_key: 'x', actor: { kind: 'root', id: '0' } },
      'actor.kind',
      /./,
    ],
    ['clientkey_register', { public_key: 'x', lable: 'x' }, 'lable', /no such field/],
    ['clientkey_show', { id: 'ck_1' }, 'id', /32 lowercase hex/],
    ['clientkey_revoke', { id: `CK_${'0'.repeat(32)}` }, 'id', /32 lowercase hex/],
    ['backup', {}, 'to', /expected array/],
    ['backup', { to: [] }, 'to', /Too small/],
    ['backup', { to: Array(21).fill(`ck_${'0'.repeat(32)}`) }, 'to', /Too big/],
    ['restore', { keystore_b64: '***' }, 'keystore_b64', /must be base64/],
  ];
  for (const [method, params, field, why] of refused) {
    const { error } = await client.call(method, params);
    expect(error?.data.kind, `${method} ${field}`).toBe('invalid_params');
    const issues = error?.data['issues'] as { field: string; message: string }[];
    expect(issues.find((issue) => issue.field === field)?.message).toMatch(why);
    expect(JSON.stringify(error)).not.toMatch(/QQQQ|aaaa/);
  }
});

it('backs nothing up for a key that is unknown, and restores only what is a keystore', async () => {
  const client = await clientOf(await started());
  const unknown = await client.call('backup', { to: [`ck_${'0'.repeat(32)}`] });
  expect(unknown.error?.data.kind).toBe('not_found');
  expect(
    (await client.call('backup', { keyring: 'nope', to: [`ck_${'0'.repeat(32)}`] })).error?.data
      .kind,
  ).toBe('not_found');
  const { error } = await client.call('restore', { keystore_b64: 'e30', replace: true });
  expect(error?.data).toMatchObject({
    kind: 'invalid_params',
    issues: [{ field: 'keystore_b64', message: expect.stringMatching(/version: /) as string }],
  });
  expect((await client.call('sign', { message_b64: '' })).result).toBeDefined();
});

it('comes back after a database that cannot be opened is put right, without a restart', async () => {
  const agent = await started();
  const database = join(agent.folder, 'state', 'agent.db');
  const client = await clientOf(agent);
  const public_key = newIdentity(agent.folder, 'id.txt');
  writeFileSync(database, 'no database\n'.repeat(100), { mode: 0o600 });
  const refused = await client.call('clientkey_register', { public_key });
  expect(refused.error).toMatchObject({
    message: expect.stringMatching(/agent\.db is damaged \(or no database/) as string,
    data: { kind: 'backend_unavailable' },
  });
  rmSync(database);
  expect((await client.call('clientkey_register', { public_key })).result).toBeDefined();
});
