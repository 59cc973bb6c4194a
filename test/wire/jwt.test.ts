import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { LineClient, type Answer } from '../support/line-client.ts';

let running: InProcessAgent;
let client: LineClient;
beforeAll(async () => {
  running = await new InProcessAgent(
    '[audit]\n[keyrings.default]\n[keyrings.ci]\n[keyrings.ci.rotation]\nevery = "2h"\ngrace = "1h"\n',
  ).start();
});
afterAll(() => running.remove());
beforeEach(async () => {
  client = await LineClient.open(running.socket);
});
afterEach(() => {
  client.close();
});

const fieldsOf = ({ error }: Answer): unknown =>
  (error?.data['issues'] as { field: string }[] | undefined)?.map(({ field }) => field);

async function result(method: string, params: object = {}): Promise<Record<string, unknown>> {
  const answer = await client.call(method, params);
  if (answer.result === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.result;
}

async function tokenOf(params: object = {}): Promise<string> {
  return (await result('jwt_sign', { ttl_seconds: 300, ...params }))['token'] as string;
}

describe('jwks', () => {
  it('has the active key first, then those in grace, then the prepared one', async () => {
    const { kid: first } = await result('active_key_id', { keyring: 'ci' });
    await result('rotate', { keyring: 'ci', grace_seconds: 60 });
    const { kid: active } = await result('active_key_id', { keyring: 'ci' });
    const { kid: prepared } = await result('prepare', { keyring: 'ci' });
    const set = await result('jwks', { keyring: 'ci' });
    const named = { kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA' };
    const x = expect.stringMatching(/^[\w-]{43}$/) as string;
    expect(set).toEqual({ keys: [active, first, prepared].map((kid) => ({ ...named, kid, x })) });
    const keys = set['keys'] as { x: string }[];
    const { public_key_b64 } = await result('public_key_b64', { keyring: 'ci', kid: first });
    expect(keys[1]?.x).toBe(public_key_b64);

    const early = await client.call('jwt_sign', { keyring: 'ci', ttl_seconds: 1, kid: prepared });
    expect(early.error?.data.kind).toBe('unknown_kid');
    await result('revoke', { keyring: 'ci', kid: first });
    await result('revoke', { keyring: 'ci', kid: prepared });
    expect((await result('jwks', { keyring: 'ci' }))['keys']).toMatchObject([{ kid: active }]);
  });
});

describe('a token', () => {
  it('is signed, verified, and expires', async () => {
    const made = await result('jwt_sign', {
      ...{ ttl_seconds: 300, audience: 'api', subject: 'ci', claims: { role: 'deploy' } },
    });
    expect(made).toEqual({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]{86}$/) as string,
      kid: (await result('active_key_id'))['kid'],
      jti: expect.stringMatching(/^[\w-]{22}$/) as string,
      expires_at: new Date(running.clock.now() + 300_000).toISOString(),
    });
    const { token, kid, jti, expires_at } = made;
    const asked = { token, audience: 'api' };
    const iat = running.clock.now() / 1000;
    expect(await result('jwt_verify', asked)).toEqual({
      ...{ valid: true, kid, expires_at },
      header: { alg: 'EdDSA', typ: 'JWT', kid },
      claims: { role: 'deploy', sub: 'ci', aud: 'api', iat, nbf: iat, exp: iat + 300, jti },
    });
    expect(await result('jwt_verify', { token })).toMatchObject({ valid: false, rule: 'aud' });
    running.clock.advance(300);
    expect(await result('jwt_verify', asked)).toEqual({
      ...{ valid: false, kid, rule: 'exp' },
      reason: `it expired at ${String(expires_at)}`,
    });
    expect(await result('jwt_verify', { ...asked, clock_skew_seconds: 1 })).toMatchObject({
      valid: true,
    });
  });

  it('has the algorithm and the type that were asked for, and is verified by that type', async () => {
    const asked = { ttl_seconds: 60, alg: 'Ed25519', typ: 'at+jwt' };
    const { token } = await result('jwt_sign', asked);
    expect(await result('jwt_verify', { token, typ: 'at+jwt' })).toMatchObject({
      ...{ valid: true, header: { alg: 'Ed25519', typ: 'at+jwt' } },
    });
    expect(await result('jwt_verify', { token })).toMatchObject({ valid: false, rule: 'typ' });
  });

  it('has a jti that no other one has', async () => {
    const made = new Set<unknown>();
    for (let at = 0; at < 3; at += 1)
      made.add((await result('jwt_sign', { ttl_seconds: 1 }))['jti']);
    expect(made.size).toBe(3);
  });

  it('verifies while its key is valid, and not a moment longer', async () => {
    const token = await tokenOf();
    const { previous_kid: kid } = await result('rotate', { grace_seconds: 100 });
    expect(await result('jwt_verify', { token })).toMatchObject({ valid: true, kid });
    running.clock.advance(100);
    expect(await result('jwt_verify', { token })).toMatchObject({ valid: false, rule: 'kid' });
    running.clock.set(-50);
    expect(await result('jwt_verify', { token })).toMatchObject({ valid: false, rule: 'kid' });
    running.clock.set(50);

    const other = await tokenOf();
    await result('revoke', { kid: (await result('active_key_id'))['kid'] });
    expect(await result('jwt_verify', { token: other })).toMatchObject({ rule: 'kid', kid: null });
  });

  it('of one keyring is none of another', async () => {
    const token = await tokenOf({ keyring: 'ci' });
    expect(await result('jwt_verify', { token, keyring: 'ci' })).toMatchObject({ valid: true });
    expect(await result('jwt_verify', { token })).toMatchObject({ valid: false, rule: 'kid' });
  });

  it('lives at most as long as the grace of its keyring', async () => {
    for (const [keyring, limit] of [
      ['default', 604_800],
      ['ci', 3600],
    ] as const) {
      await tokenOf({ keyring, ttl_seconds: limit });
      const refused = await client.call('jwt_sign', { keyring, ttl_seconds: limit + 1 });
      expect(refused.error?.data.kind).toBe('invalid_params');
      expect(fieldsOf(refused)).toEqual(['ttl_seconds']);
      expect(refused.error?.message).toContain(`at most ${limit} `);
    }
  });
});

describe('params that do not fit are named', () => {
  it.each<[string, object, string]>([
    ['jwt_sign', {}, 'ttl_seconds'],
    ['jwt_sign', { ttl_seconds: 0 }, 'ttl_seconds'],
    ['jwt_sign', { ttl_seconds: 1.5 }, 'ttl_seconds'],
    ['jwt_sign', { ttl_seconds: '5m' }, 'ttl_seconds'],
    ['jwt_sign', { ttl_seconds: 1, claims: [] }, 'claims'],
    ['jwt_sign', { ttl_seconds: 1, claims: null }, 'claims'],
    ['jwt_sign', { ttl_seconds: 1, claims: '{}' }, 'claims'],
    ['jwt_sign', { ttl_seconds: 1, claims: { exp: 1 } }, 'claims.exp'],
    ['jwt_sign', { ttl_seconds: 1, claims: { sub: 'a' }, subject: 'b' }, 'claims.sub'],
    ['jwt_sign', { ttl_seconds: 1, claims: { aud: 'a' }, audience: ['a'] }, 'claims.aud'],
    ['jwt_sign', { ttl_seconds: 1, audience: [] }, 'audience'],
    ['jwt_sign', { ttl_seconds: 1, audience: '' }, 'audience'],
    ['jwt_sign', { ttl_seconds: 1, audience: '\ud800' }, 'audience'],
    ['jwt_sign', { ttl_seconds: 1, subject: 7 }, 'subject'],
    ['jwt_sign', { ttl_seconds: 1, kid: 'x' }, 'kid'],
    ['jwt_sign', { ttl_seconds: 1, header: {} }, 'header'],
    ['jwt_verify', {}, 'token'],
    ['jwt_verify', { token: 'x', audience: ['a'] }, 'audience'],
    ['jwt_verify', { token: 'x', clock_skew_seconds: 601 }, 'clock_skew_seconds'],
    ['jwt_verify', { token: 'x', clock_skew_seconds: -1 }, 'clock_skew_seconds'],
    ['jwks', { include_prepared: false }, 'include_prepared'],
  ])('%s %j', async (method, params, field) => {
    const refused = await client.call(method, params);
    expect(refused.error?.data.kind).toBe('invalid_params');
    expect(fieldsOf(refused)).toContain(field);
  });

  test('and claims with a name twice are no request', async () => {
    client.send(
      '{"jsonrpc":"2.0","id":"twice","method":"jwt_sign","params":{"ttl_seconds":1,"claims":{"a":1,"a":2}}}',
    );
    await client.until((answers) => answers.length > 0);
    expect(client.answers[0]?.error?.data.kind).toBe('invalid_request');
  });
});

test('the audit log has what was signed, and what was refused', async () => {
  running.clock.advance(60); // of many refusals at a time the log has a count alone
  const { token, kid } = await result('jwt_sign', { ttl_seconds: 60 });
  await client.call('jwt_sign', { ttl_seconds: 60, claims: { jti: 'mine' } });
  const folder = join(running.folder, 'state', 'audit');
  const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  const lines = readFileSync(join(folder, file), 'utf8').trim().split('\n');
  const records = lines
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    .filter(({ keyring }) => keyring !== null)
    .slice(-2);
  const input = (token as string).slice(0, (token as string).lastIndexOf('.'));
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(input));
  expect(records).toMatchObject([
    {
      ...{ method: 'jwt_sign', keyring: 'default', outcome: 'done', kid },
      message_sha256: [Buffer.from(digest).toString('hex')],
    },
    { method: 'jwt_sign', outcome: 'refused', kind: 'invalid_params', message_sha256: [] },
  ]);
});
