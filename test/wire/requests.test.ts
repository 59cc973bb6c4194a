import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { opensslVerifies } from '../support/openssl.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { LineClient } from '../support/line-client.ts';
import { run } from '../support/daemon.ts';

let running: InProcessAgent;
let client: LineClient;
beforeAll(async () => {
  running = await new InProcessAgent('[socket]\nmax_frame_bytes = 65536\n').start();
});
afterAll(() => running.remove());
beforeEach(async () => {
  client = await LineClient.open(running.socket);
});
afterEach(() => {
  client.close();
});

const hello = Buffer.from('hello').toString('base64url');

test('a line by netcat, as docs/protocol.md has it', async () => {
  const line = `{"jsonrpc":"2.0","id":1,"method":"sign","params":{"message_b64":"aGVsbG8"}}\n`;
  const { out } = await run('nc', ['-NU', running.socket], line);
  const answer = JSON.parse(out) as { id: number; result: { kid: string; signature_b64: string } };
  const { kid, signature_b64 } = answer.result;
  const key = (await client.call('public_key_b64', { kid })).result?.['public_key_b64'] as string;
  const signature = Buffer.from(signature_b64, 'base64url');
  expect(signature).toHaveLength(64);
  expect(opensslVerifies(Buffer.from('hello'), signature, key)).toBe(true);
});

test('results have the names and shapes of docs/protocol.md', async () => {
  const names = async (method: string, params: unknown = {}): Promise<string[]> =>
    Object.keys((await client.call(method, params)).result ?? {}).sort();
  expect(await names('describe_backend')).toEqual([
    'algorithm',
    'is_hardware_backed',
    'name',
    'protection',
  ]);
  expect(await names('active_key_id')).toEqual(['kid']);
  expect(await names('public_key_b64', { kid: '00000000' })).toEqual(['public_key_b64']);
  expect(await names('list_valid_pubkeys')).toEqual(['keys']);
  expect(await names('sign', { message_b64: hello })).toEqual(['kid', 'signature_b64']);
  expect(await names('sign_batch', { messages_b64: [hello] })).toEqual(['kid', 'signatures_b64']);
  expect(await names('rotate', { grace_seconds: 60 })).toEqual([
    'new_active_kid',
    'new_active_public_key_b64',
    'previous_grace_until',
    'previous_kid',
  ]);
  expect(await names('prune_expired_grace')).toEqual(['pruned']);
  expect(await names('prepare')).toEqual(['activates_at', 'kid', 'public_key_b64']);
  expect(await names('list_keys')).toEqual(['keys', 'next_change']);
  expect(await names('ping')).toEqual([]);
  expect(await names('whoami')).toEqual(['principal']);
  expect(await names('status')).toEqual([
    ...['access', 'agent', 'audit', 'cluster', 'connections', 'counters', 'keyrings', 'ssh_agent'],
  ]);
  const listed = (await client.call('list_valid_pubkeys')).result?.['keys'] as object[];
  expect(Object.keys(listed[0] ?? {}).sort()).toEqual([
    'created_at',
    'kid',
    'public_key_b64',
    'status',
    'valid_until',
  ]);
});

test('whoami says who is at the other end', async () => {
  const { result } = await client.call('whoami');
  expect(result?.['principal']).toEqual({
    kind: 'user',
    name: expect.any(String) as string,
    uid: process.getuid?.(),
    pid: process.pid,
    scope: 'admin',
  });
});

test('a thousand requests in one write are all answered, by their ids', async () => {
  const lines = Array.from({ length: 1000 }, (_, id) =>
    JSON.stringify({ jsonrpc: '2.0', id, method: 'sign', params: { message_b64: hello } }),
  );
  client.socket.write(`${lines.join('\n')}\n`);
  await client.until((answers) => answers.length === 1000);
  expect(new Set(client.answers.map(({ id }) => id)).size).toBe(1000);
  expect(client.answers.every(({ result }) => result !== undefined)).toBe(true);
});

describe('refusals', () => {
  const refused = async (method: string, params?: unknown): Promise<Record<string, unknown>> => {
    const { error } = await client.call(method, params);
    if (error === undefined) throw new Error('it was accepted');
    return { code: error.code, kind: error.data.kind, data: error.data };
  };

  test.each([
    ['sign', {}, 'message_b64'],
    ['sign', { message_b64: 7 }, 'message_b64'],
    ['sign', { message_b64: 'a' }, 'message_b64'],
    ['sign', { message_b64: hello, kid: 'XYZ' }, 'kid'],
    ['sign', { message_b64: hello, message: 'x' }, 'message'],
    ['sign', { message_b64: hello, keyring: 7 }, 'keyring'],
    ['sign_batch', { messages_b64: [] }, 'messages_b64'],
    ['sign_batch', { messages_b64: Array(257).fill('') }, 'messages_b64'],
    ['sign_batch', { messages_b64: [hello, '!'] }, 'messages_b64.1'],
    ['rotate', {}, 'grace_seconds'],
    ['rotate', { grace_seconds: -1 }, 'grace_seconds'],
    ['rotate', { grace_seconds: 1.5 }, 'grace_seconds'],
    ['rotate', { grace_seconds: 1e300 }, 'grace_seconds'],
    ['rotate', { grace_seconds: '60' }, 'grace_seconds'],
    ['public_key_b64', {}, 'kid'],
    ['list_valid_pubkeys', { include_prepared: 'yes' }, 'include_prepared'],
    ['revoke', { kid: '00000000', reason: 'x'.repeat(1001) }, 'reason'],
    ['ping', { keyring: 'default' }, 'keyring'],
  ])('%s %j names the field', async (method, params, field) => {
    const { code, kind, data } = await refused(method, params);
    expect([code, kind]).toEqual([-32602, 'invalid_params']);
    const { issues } = data as { issues: { field: string; message: string }[] };
    expect(issues.map((issue) => issue.field)).toContain(field);
  });

  test('names of objects are not fields', async () => {
    const line = '{"jsonrpc":"2.0","id":"p","method":"ping","params":{"__proto__":{"x":1}}}';
    client.send(line);
    await client.until((answers) => answers.length === 1);
    expect(client.answers[0]?.error?.data.kind).toBe('invalid_params');
  });

  test.each([
    ['no_such_method', {}, -32601, 'method_not_found'],
    ['constructor', {}, -32601, 'method_not_found'],
    ['__proto__', {}, -32601, 'method_not_found'],
    ['sign', { message_b64: hello, keyring: 'other' }, -32009, 'not_found'],
    ['sign', { message_b64: hello, kid: 'ffffffff' }, -32003, 'unknown_kid'],
    ['revoke', { kid: 'ffffffff' }, -32003, 'unknown_kid'],
  ])('%s %j', async (method, params, code, kind) => {
    expect(await refused(method, params)).toMatchObject({ code, kind });
  });

  test('a long answer cannot be asked for by a short mistake', async () => {
    const { error } = await client.call('sign_batch', { messages_b64: Array(8_000).fill('!') });
    expect(JSON.stringify(error).length).toBeLessThan(10_000);
    const long = await client.call('x'.repeat(60_000));
    expect(JSON.stringify(long.error).length).toBeLessThan(1000);
  });

  test('a line that is too long, and nothing after it', async () => {
    client.socket.write(`${' '.repeat(65_537)}\n`);
    await client.closed;
    expect(client.answers).toEqual([
      {
        jsonrpc: '2.0',
        id: null,
        error: expect.objectContaining({
          code: -32008,
          data: { kind: 'too_large', limit: 65_536 },
        }) as unknown,
      },
    ]);
  });
});

test('a full queue says so, and the agent goes on', async () => {
  const small = await new InProcessAgent('', { queueLimit: 4 }).start();
  const other = await LineClient.open(small.socket);
  try {
    const line = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'sign',
      params: { message_b64: hello },
    });
    other.socket.write(`${line}\n`.repeat(64));
    await other.until((answers) => answers.length === 64);
    const kinds = other.answers.map(({ error }) => error?.data.kind);
    expect(kinds.filter((kind) => kind === 'overloaded').length).toBeGreaterThan(0);
    // One user has three of four places, so that there is one left for the others.
    expect(kinds.filter((kind) => kind === undefined).length).toBeGreaterThanOrEqual(3);
    expect((await other.call('sign', { message_b64: hello })).result).toBeDefined();
  } finally {
    other.close();
    await small.remove();
  }
});
