import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { LineClient, type Answer } from '../support/line-client.ts';

const message_b64 = Buffer.from('hello').toString('base64url');

let running: InProcessAgent;
let admin: LineClient;
const clients: LineClient[] = [];
beforeEach(async () => {
  running = await new InProcessAgent('[keyrings.default]\n[keyrings.ci]\n').start();
  admin = await open();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await running.remove();
});

async function open(secret?: string): Promise<LineClient> {
  const client = await LineClient.open(running.socket);
  clients.push(client);
  if (secret !== undefined) await result(client.call('authenticate', { api_key: secret }));
  return client;
}
async function result(answer: Promise<Answer>): Promise<Record<string, unknown>> {
  const { result: value, error } = await answer;
  if (value === undefined) throw new Error(error?.message);
  return value;
}
async function kindOf(answer: Promise<Answer>): Promise<string> {
  return (await answer).error?.data.kind ?? 'done';
}
async function make(id: string, more: object = {}): Promise<string> {
  const made = await result(admin.call('apikey_create', { id, scope: 'app', ...more }));
  return String(made['secret']);
}

const file = (): string => join(running.folder, 'state', 'api-keys.json');
interface Written {
  version: number;
  keys: Record<string, unknown>[];
}
/** As somebody edits the file by hand. */
function edit(change: (written: Written) => void): void {
  const written = JSON.parse(readFileSync(file(), 'utf8')) as Written;
  change(written);
  writeFileSync(file(), JSON.stringify(written));
}
const sign = (client: LineClient): Promise<Answer> => client.call('sign', { message_b64 });

describe('a key that is changed counts as it is now on open connections', () => {
  test('revoked, at the next request', async () => {
    const client = await open(await make('app'));
    expect(await kindOf(sign(client))).toBe('done');
    const revoked = await result(admin.call('apikey_revoke', { id: 'app' }));
    expect(revoked).toEqual({ id: 'app', revoked_at: new Date(running.clock.now()).toISOString() });
    expect(await kindOf(sign(client))).toBe('unauthenticated');
    expect(readFileSync(file(), 'utf8')).not.toContain('"app"');
  });

  test('narrowed by update', async () => {
    const client = await open(await make('app'));
    await result(admin.call('apikey_update', { id: 'app', allowed_keyrings: ['ci'] }));
    expect(await kindOf(sign(client))).toBe('forbidden');
    expect(await kindOf(client.call('sign', { keyring: 'ci', message_b64 }))).toBe('done');
    await result(
      admin.call('apikey_update', { id: 'app', scope: 'reader', allowed_keyrings: null }),
    );
    expect(await kindOf(sign(client))).toBe('forbidden');
    expect(await kindOf(client.call('active_key_id'))).toBe('done');
  });

  test('narrowed in the file, from the reload on', async () => {
    const client = await open(await make('app'));
    edit(({ keys }) => Object.assign(keys[0] ?? {}, { allowed_users: ['daemon'] }));
    expect(await kindOf(sign(client))).toBe('done');
    expect(running.agent.reload().reloaded).toContain('api_keys');
    expect(await kindOf(sign(client))).toBe('unauthenticated');
  });

  test('with a restriction that this version does not know, from the reload on', async () => {
    const client = await open(await make('app'));
    edit(({ keys }) => Object.assign(keys[0] ?? {}, { allowed_nets: ['10.0.0.0/8'] }));
    running.agent.reload();
    expect(await kindOf(sign(client))).toBe('unauthenticated');
    const { keys } = await result(admin.call('apikey_list'));
    expect(keys).toMatchObject([{ id: 'app', state: 'refused' }]);
    const { access } = running.agent.status();
    expect(access).toMatchObject({
      api_keys: 0,
      warnings: [expect.stringContaining('allowed_nets')],
    });
  });

  test('expired, by the clock alone', async () => {
    const client = await open(await make('app', { expires_in_seconds: 60 }));
    running.clock.advance(59);
    expect(await kindOf(sign(client))).toBe('done');
    running.clock.advance(1);
    expect(await kindOf(sign(client))).toBe('unauthenticated');
    await result(admin.call('apikey_update', { id: 'app', expires_in_seconds: 60 }));
    expect(await kindOf(sign(client))).toBe('done');
  });

  test('for another machine', async () => {
    const secret = await make('app');
    await result(admin.call('apikey_update', { id: 'app', allowed_machines: ['0'.repeat(64)] }));
    const client = await open();
    expect(await kindOf(client.call('authenticate', { api_key: secret }))).toBe('unauthenticated');
    await result(admin.call('apikey_update', { id: 'app', allowed_machines: null }));
    expect(await kindOf(client.call('authenticate', { api_key: secret }))).toBe('done');
  });
});

describe('a file that is broken', () => {
  test.each<[string, (written: Written) => void]>([
    ['another version', (written) => (written.version = 2)],
    ['a name twice', ({ keys }) => keys.push(...keys)],
    ['an entry without a hash', ({ keys }) => keys.push({ id: 'x' })],
  ])('%s: a reload keeps the keys that were loaded, a change is refused', async (_, spoil) => {
    const client = await open(await make('app'));
    edit(spoil);
    const before = readFileSync(file(), 'utf8');
    const { kept } = running.agent.reload();
    expect(kept).toMatchObject([
      { part: 'api_keys', failed: true, reason: expect.stringContaining(file()) as string },
    ]);
    expect(await kindOf(sign(client))).toBe('done');
    expect(await kindOf(admin.call('apikey_revoke', { id: 'app' }))).toBe('backend_unavailable');
    expect(await kindOf(sign(client))).toBe('done');
    expect(readFileSync(file(), 'utf8')).toBe(before);
  });

  test('is no start', async () => {
    await make('app');
    edit(({ keys }) => keys.push({ id: 'x' }));
    await running.stop();
    await expect(running.start()).rejects.toThrow(/api-keys\.json is refused: entry 2 "x": hash/);
  });
});

test('many changes at once are all made', async () => {
  const numbers = Array.from({ length: 30 }, (_, number) => number);
  const made = await Promise.all(
    numbers.map(async (number) => {
      const wanted = { id: `key-${number}`, scope: 'app' };
      return (await result((await open()).call('apikey_create', wanted)))['secret'] as string;
    }),
  );
  const revoked = numbers.slice(0, 15).map(async (number) => {
    await result((await open()).call('apikey_revoke', { id: `key-${number}` }));
  });
  await Promise.all(revoked);
  const { keys } = await result(admin.call('apikey_list'));
  const ids = (keys as { id: string }[]).map(({ id }) => id).sort();
  expect(ids).toEqual(
    numbers
      .slice(15)
      .map((number) => `key-${number}`)
      .sort(),
  );
  expect(await kindOf(sign(await open(made[20])))).toBe('done');
});

describe('params', () => {
  test.each<[string, object, string]>([
    ['no name', { id: undefined }, 'id'],
    ['another form of name', { id: '-x' }, 'id'],
    ['too long a name', { id: 'x'.repeat(32) }, 'id'],
    ['no scope', { scope: undefined }, 'scope'],
    ['scope none', { scope: 'none' }, 'scope'],
    ['no users at all', { allowed_users: [] }, 'allowed_users'],
    ['a group', { allowed_users: ['@ci'] }, 'allowed_users.0'],
    ['everybody', { allowed_users: ['*'] }, 'allowed_users.0'],
    ['another machine', { allowed_machines: ['here'] }, 'allowed_machines.0'],
    ['an end of no form', { expires_at: 'soon' }, 'expires_at'],
    ['an end that has passed', { expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    ['no time at all', { expires_in_seconds: 0 }, 'expires_in_seconds'],
    ['no signatures', { max_signatures_per_second: 0 }, 'max_signatures_per_second'],
    ['a hash', { hash: 'sha256:00' }, 'hash'],
    ['a secret', { secret: 'sa_x' }, 'secret'],
  ])('%s: refused, and nothing is made', async (_, change, field) => {
    const { error } = await admin.call('apikey_create', { id: 'app', scope: 'app', ...change });
    expect(error?.data).toMatchObject({ kind: 'invalid_params', issues: [{ field }] });
    expect(await result(admin.call('apikey_list'))).toMatchObject({ keys: [] });
  });
});

describe('sealed', () => {
  test('for a client key that is not there: nothing is made', async () => {
    const id = `ck_${'0'.repeat(32)}`;
    const wanted = { id: 'app', scope: 'app', seal_to: id };
    expect(await kindOf(admin.call('apikey_create', wanted))).toBe('not_found');
    expect(await result(admin.call('apikey_list'))).toMatchObject({ keys: [] });
  });

  test('the answer has no secret but the sealed one', async () => {
    const public_key = 'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj';
    const key = await result(admin.call('clientkey_register', { public_key }));
    const wanted = { id: 'app', scope: 'app', seal_to: key['id'] };
    const made = await result(admin.call('apikey_create', wanted));
    expect(made).not.toHaveProperty('secret');
    expect(made['sealed']).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/);
    expect(JSON.stringify(made)).not.toMatch(/sa_app_[0-9a-f]/);
  });
});

test('the list has since when uses are known, and the last one', async () => {
  const started = new Date(running.clock.now()).toISOString();
  const client = await open(await make('app'));
  running.clock.advance(5);
  await sign(client);
  const used = new Date(running.clock.now()).toISOString();
  const list = await result(admin.call('apikey_list'));
  expect(list).toMatchObject({
    last_used_since: started,
    keys: [{ id: 'app', last_used_at: used }],
  });
});
