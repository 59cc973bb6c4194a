import { afterEach, beforeEach, expect, test } from 'vitest';
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

async function open(): Promise<LineClient> {
  const client = await LineClient.open(running.socket);
  clients.push(client);
  return client;
}

/** Makes an API key; answers its secret. */
async function made(id: string, more: object = {}): Promise<string> {
  const { result } = await admin.call('apikey_create', { id, scope: 'app', ...more });
  const secret = result?.['secret'];
  if (typeof secret !== 'string') throw new Error(`no API key ${id}`);
  return secret;
}

/** Every request in one write; the answers in the order of the requests. */
async function together(
  client: LineClient,
  requests: readonly (readonly [string, object])[],
): Promise<(Answer | undefined)[]> {
  const lines = requests.map(([method, params], id) =>
    JSON.stringify({ jsonrpc: '2.0', id, method, params }),
  );
  client.socket.write(`${lines.join('\n')}\n`);
  await client.until((answers) => lines.every((_, id) => answers.some((one) => one.id === id)));
  return lines.map((_, id) => client.answers.find((one) => one.id === id));
}

function kindOf(answer: Answer | undefined): string {
  return answer?.error?.data.kind ?? 'done';
}

test('what stands behind an authenticate goes by it, and what stands before does not', async () => {
  const api_key = await made('reports', { scope: 'reader' });
  const answers = await together(await open(), [
    ['sign', { message_b64 }],
    ['authenticate', { api_key }],
    ['sign', { message_b64 }],
    ['active_key_id', {}],
    ['whoami', {}],
  ]);
  expect(answers.map(kindOf)).toEqual(['done', 'done', 'forbidden', 'done', 'done']);
  expect(answers[4]?.result?.['principal']).toMatchObject({ kind: 'api_key', scope: 'reader' });
  expect(answers[4]?.result).toEqual(answers[1]?.result);
});

test('behind a wrong one nothing is tried, and nothing else waits for its answer', async () => {
  const api_key = await made('ci', { allowed_keyrings: ['ci'] });
  const client = await open();
  const wrong = api_key.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  const answers = await together(client, [
    ['authenticate', { api_key: wrong }],
    ['authenticate', { api_key }],
    ['whoami', {}],
  ]);
  expect(answers.map(kindOf)).toEqual(['unauthenticated', 'rate_limited', 'done']);
  expect(answers[1]?.error?.data['retry_after_ms']).toBe(100);
  expect(answers[2]?.result?.['principal']).toMatchObject({ kind: 'user' });
  // The refused one is answered last, though it was sent first.
  expect(client.answers.at(-1)?.id).toBe(0);
  expect(kindOf(await client.call('authenticate', { api_key }))).toBe('done');
  const { result } = await admin.call('status');
  expect(result?.['counters']).toMatchObject({ authentication_failures: 1 });
});

test('a key for one keyring has that one and sees that one', async () => {
  const api_key = await made('ci', { allowed_keyrings: ['ci'] });
  const client = await open();
  const [, ...answers] = await together(client, [
    ['authenticate', { api_key }],
    ['sign', { message_b64, keyring: 'ci' }],
    ['sign', { message_b64 }],
    ['sign', { message_b64, keyring: 'no-such-keyring' }],
    ['status', {}],
  ]);
  expect(answers.map(kindOf)).toEqual(['done', 'forbidden', 'forbidden', 'done']);
  // Whether there is one of that name is not said.
  expect(answers[2]?.error).toEqual(answers[1]?.error);
  const { agent, keyrings, ...others } = answers[3]?.result ?? {};
  expect(keyrings).toMatchObject([{ name: 'ci' }]);
  expect(agent).toMatchObject({ pid: process.pid });
  // Of the agent as a whole nothing is said.
  expect(others).toEqual({
    connections: null,
    ssh_agent: null,
    counters: null,
    access: null,
    audit: null,
    cluster: null,
  });
});

test('a key that is revoked is refused at the next request of an open connection', async () => {
  const api_key = await made('ci');
  const client = await open();
  await client.call('authenticate', { api_key });
  expect(kindOf(await client.call('sign', { message_b64 }))).toBe('done');
  await admin.call('apikey_revoke', { id: 'ci' });
  for (const method of ['sign', 'whoami', 'ping']) {
    const params = method === 'sign' ? { message_b64 } : {};
    expect(kindOf(await client.call(method, params))).toBe('unauthenticated');
  }
  const other = await made('other');
  expect(kindOf(await client.call('authenticate', { api_key }))).toBe('unauthenticated');
  expect(kindOf(await client.call('authenticate', { api_key: other }))).toBe('done');
  expect(kindOf(await client.call('sign', { message_b64 }))).toBe('done');
});

test('a connection that is closed makes room for another one of its key', async () => {
  const api_key = await made('ci', { max_connections: 1 });
  const first = await open();
  const second = await open();
  expect(kindOf(await first.call('authenticate', { api_key }))).toBe('done');
  const refused = await second.call('authenticate', { api_key });
  expect(refused.error?.data).toEqual({ kind: 'rate_limited', retry_after_ms: 1000 });
  first.close();
  const others = async () => (await admin.call('status')).result?.['connections'];
  while ((((await others()) ?? {}) as { open: number }).open > 2);
  expect(kindOf(await second.call('authenticate', { api_key }))).toBe('done');
});

test('signatures a second of a key: refused whole, and enough after the time that is said', async () => {
  const api_key = await made('ci', { max_signatures_per_second: 4 });
  const client = await open();
  const messages_b64 = Array<string>(3).fill(message_b64);
  const [, ...answers] = await together(client, [
    ['authenticate', { api_key }],
    ['sign_batch', { messages_b64 }],
    ['sign_batch', { messages_b64 }],
    ['sign', { message_b64 }],
    ['sign', { message_b64 }],
  ]);
  expect(answers.map(kindOf)).toEqual(['done', 'rate_limited', 'done', 'rate_limited']);
  const wait = answers[3]?.error?.data['retry_after_ms'];
  if (typeof wait !== 'number') throw new Error('it does not say when');
  running.clock.advance(wait / 1000);
  expect(kindOf(await client.call('sign', { message_b64 }))).toBe('done');
  const { result } = await admin.call('status');
  expect(result?.['counters']).toMatchObject({ signatures: 5 });
});

test('reload by the socket takes over rules on open connections, and says what it kept', async () => {
  running.configuration += '[access]\nreaders = ["nobody-of-that-name"]\n[log]\nlevel = "silent"\n';
  expect((await admin.call('reload')).result).toEqual({
    reloaded: ['access', 'log', 'api_keys'],
    kept: [],
  });
  const warnings = async () =>
    ((await admin.call('status')).result?.['access'] as { warnings: string[] }).warnings;
  const warning =
    'access.readers: there is no user "nobody-of-that-name" here, so it allows nobody';
  expect(await warnings()).toEqual([warning]);
  running.configuration = '[access';
  expect((await admin.call('reload')).result).toMatchObject({
    reloaded: ['api_keys'],
    kept: [{ part: 'configuration', failed: true }],
  });
  expect(await warnings()).toEqual([warning]);
});
