import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { LineClient } from '../support/line-client.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

let running: InProcessAgent;
let token: SoftHsmToken;
let client: LineClient;
beforeAll(async () => {
  token = await makeToken('test');
  token.use();
  // No PIN source, and a token that is not there.
  const uri = `pkcs11:token=absent?module-path=${token.modulePath}`;
  running = await new InProcessAgent(
    `[keyrings.default]\n[keyrings.prod]\nbackend = "pkcs11"\nuri = "${uri}"\n`,
  ).start();
});
afterAll(async () => {
  await running.remove();
  await token.remove();
});
beforeEach(async () => {
  client = await LineClient.open(running.socket);
});
afterEach(() => {
  client.close();
});

describe('a PIN that is none is refused and not repeated', () => {
  const secret = 'hunter2-hunter2';
  test.each([
    ['no PIN', {}, 'pin'],
    ['a number', { pin: 1234567 }, 'pin'],
    ['an object', { pin: { value: secret } }, 'pin'],
    ['a list', { pin: [secret] }, 'pin'],
    ['an empty one', { pin: '' }, 'pin'],
    ['one that is too long', { pin: secret.repeat(69) }, 'pin'],
    ['one of too many bytes', { pin: '€'.repeat(342) }, 'pin'],
    ['one with NUL in it', { pin: `${secret}\0` }, 'pin'],
    ['half a surrogate pair', { pin: `${secret}\ud800` }, 'pin'],
    ['another field', { pin: secret, pni: secret }, 'pni'],
    ['again in words', { pin: secret, again: 'yes' }, 'again'],
    ['a keyring of another type', { pin: secret, keyring: [secret] }, 'keyring'],
  ])('%s', async (_, params, field) => {
    const { error } = await client.call('unlock', { keyring: 'prod', ...params });
    expect(error?.data.kind).toBe('invalid_params');
    const issues = error?.data['issues'] as { field: string }[];
    expect(issues.map((issue) => issue.field)).toContain(field);
    expect(JSON.stringify(error)).not.toMatch(/hunter2|1234567|€€/);
  });
});

test('the longest PIN is one', async () => {
  const { error } = await client.call('unlock', { keyring: 'prod', pin: 'x'.repeat(1024) });
  expect(error?.data.kind).toBe('backend_unavailable');
});

test.each([
  ['unlock', { keyring: 'default', pin: '1234' }, 'not_supported'],
  ['unlock', { keyring: 'other', pin: '1234' }, 'not_found'],
  ['unlock', { keyring: 'prod', pin: '1€' }, 'backend_unavailable'],
  ['lock', { keyring: 'default' }, 'not_supported'],
  ['lock', { keyring: 'other' }, 'not_found'],
  ['lock', { keyring: 'prod', pin: '1234' }, 'invalid_params'],
  ['sign', { keyring: 'prod', message_b64: '' }, 'locked'],
  ['list_keys', { keyring: 'prod' }, 'locked'],
])('%s %j is %s', async (method, params, kind) => {
  const { error } = await client.call(method, params);
  expect(error?.data.kind).toBe(kind);
});

test('a keyring that cannot be opened stays locked, and the other one signs', async () => {
  expect((await client.call('lock', { keyring: 'prod' })).result).toEqual({});
  const { error } = await client.call('sign', { keyring: 'prod', message_b64: '' });
  expect(error).toMatchObject({
    code: -32005,
    message: 'keyring prod is locked: an operator locked it: agentctl unlock --keyring prod',
    data: { kind: 'locked' },
  });
  expect((await client.call('sign', { message_b64: '' })).result).toBeDefined();
  const { result } = await client.call('status');
  expect(result?.['keyrings']).toMatchObject([
    { name: 'default', health: 'ok' },
    { name: 'prod', health: 'locked', active_kid: null, last_error: { kind: 'locked' } },
  ]);
});
