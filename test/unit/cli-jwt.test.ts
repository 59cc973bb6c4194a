import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { jwkOf } from '../../src/formats/jose/jwks.ts';
import { agentctl, type Session, type Surroundings } from '../support/cli-session.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { handMade, tokenKey } from '../support/hand-made-tokens.ts';

const now = Date.parse('2026-05-14T18:20:00Z');
const key = tokenKey('ed25519');
const claims = { sub: 'ann', exp: now / 1000 + 90 };
const token = handMade({ alg: 'EdDSA', typ: 'JWT', kid: key.kid }, claims, key.sign);
const signed = { token, kid: key.kid, jti: 'once', expires_at: '2026-05-14T18:21:30.000Z' };
const verified = {
  ...{ valid: true, kid: key.kid, header: { alg: 'EdDSA', kid: key.kid } },
  ...{ claims: { sub: 'an\u001bn' }, expires_at: signed.expires_at },
};
const refused = { valid: false, kid: null, rule: 'kid', reason: 'no such \u001b key' };

let answers: Record<string, unknown> = {};
let agent: FakeAgent;
const dir = mkdtempSync(join(tmpdir(), 'cli-jwt-'));
beforeAll(async () => {
  agent = await FakeAgent.start(({ method, params }, reply) => {
    const keyring = (params['keyring'] ?? 'default') as string;
    if (method === 'jwks') reply.result({ keys: [{ kid: keyring }] });
    else reply.result(answers[method]);
  });
});
afterEach(() => {
  answers = {};
  agent.requests.splice(0);
});
afterAll(async () => {
  await agent.remove();
  rmSync(dir, { recursive: true, force: true });
});

let files = 0;
function file(content: string): string {
  const path = join(dir, `f${files++}`);
  writeFileSync(path, content);
  return path;
}

function run(line: string, surroundings: Surroundings = {}): Promise<Session> {
  return agentctl(['--socket', agent.path, ...line.split(' ')], { now, ...surroundings });
}
const asked = (): unknown => agent.requests[0]?.params;

describe('agentctl jwks', () => {
  it('prints one JSON document, of every keyring that is named', async () => {
    expect(await run('jwks')).toMatchObject({ code: 0, out: '{"keys":[{"kid":"default"}]}\n' });
    const several = await run('--keyring web --json --keyring ci jwks --keyring web');
    expect(several.out).toBe('{"keys":[{"kid":"web"},{"kid":"ci"}]}\n');
  });
});

describe('agentctl jwt sign', () => {
  it('sends what its flags say and prints the token alone', async () => {
    answers = { jwt_sign: signed };
    expect(await run('jwt sign --ttl 5m')).toMatchObject({ code: 0, out: `${token}\n`, err: '' });
    expect(asked()).toEqual({ ttl_seconds: 300 });
    await run('--keyring ci jwt sign --ttl 1h --audience a --subject b --kid 0a1b2c3d');
    expect(agent.requests[1]?.params).toEqual({
      ...{ keyring: 'ci', kid: '0a1b2c3d', ttl_seconds: 3600, audience: 'a', subject: 'b' },
    });
    await run('jwt sign --ttl 1h --audience a --audience b');
    expect(agent.requests[2]?.params).toEqual({ ttl_seconds: 3600, audience: ['a', 'b'] });
    await run('jwt sign --ttl 1h --alg Ed25519 --typ at+jwt');
    expect(agent.requests[3]?.params).toEqual({ ttl_seconds: 3600, alg: 'Ed25519', typ: 'at+jwt' });
    expect(await run('jwt sign --ttl 1h --alg RS256')).toMatchObject({ code: 2, out: '' });
    expect(JSON.parse((await run('--json jwt sign --ttl 5m')).out)).toEqual(signed);
  });

  it('takes claims from a file or stdin, strictly', async () => {
    answers = { jwt_sign: signed };
    const text = '{"__proto__":{"x":1},"n":[1,null]}';
    await run(`jwt sign --ttl 1s --claims ${file(text)}`);
    await run('jwt sign --ttl 1s --claims -', { stdin: ` ${text}\n` });
    for (const { params } of agent.requests) expect(JSON.stringify(params['claims'])).toBe(text);
    agent.requests.splice(0);
    for (const [bad, why] of [
      ['{"a":1,"a":2}', 'has a member twice'],
      ['{"a":1,"\\u0061":2}', 'has a member twice'],
      ['{"a":[{"b":-1e400}]}', 'has a number that is too large to be kept'],
      ['[]', 'is not a JSON object'],
      ['', 'is not JSON in UTF-8'],
      [`{"a":${'['.repeat(50)}${']'.repeat(50)}}`, 'is nested more than 16 levels deep'],
    ]) {
      const session = await run('jwt sign --ttl 1s --claims -', { stdin: bad ?? '' });
      expect(session).toMatchObject({ code: 2, err: `agentctl: --claims: stdin ${why ?? ''}\n` });
    }
    expect((await run('jwt sign --ttl 1s --claims /nonexistent')).code).toBe(2);
    expect(agent.requests).toEqual([]);
  });

  it('writes --out for this user alone, in one step, and does not show the token', async () => {
    answers = { jwt_sign: signed };
    const out = file('before');
    expect(await run(`jwt sign --ttl 5m --out ${out}`)).toMatchObject({ code: 0, out: '' });
    expect(readFileSync(out, 'utf8')).toBe(`${token}\n`);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const { out: shown } = await run(`--json jwt sign --ttl 5m --out ${out}`);
    const { kid, jti, expires_at } = signed;
    expect(JSON.parse(shown)).toEqual({ kid, jti, expires_at });
    expect((await run('jwt sign --ttl 5m --out -')).out).toBe(`${token}\n`);
    mkdirSync(join(dir, 'd'));
    symlinkSync(out, join(dir, 'link'));
    for (const path of [join(dir, 'd'), join(dir, 'link')]) {
      const session = await run(`jwt sign --ttl 5m --out ${path}`);
      expect(session).toMatchObject({ code: 1, out: '' });
    }
  });

  it('refuses what is no duration, and what is no token', async () => {
    expect((await run('jwt sign')).err).toMatch(/--ttl <duration>' not specified/);
    expect((await run('jwt sign --ttl soon')).code).toBe(2);
    expect(agent.requests).toEqual([]);
    for (const jwt_sign of [{}, { token: 7 }, { token: 'a.b' }, { token: 'a.b.\u001bc' }]) {
      answers = { jwt_sign };
      expect(await run('jwt sign --ttl 1s')).toMatchObject({ code: 1, out: '' });
    }
  });
});

describe('agentctl jwt verify', () => {
  it('sends the token that stdin, a file or the command line has', async () => {
    answers = { jwt_verify: verified };
    await run('jwt verify', { stdin: `${token}\n` });
    await run('jwt verify -', { stdin: token });
    await run(`jwt verify ${file(`\n ${token} \r\n`)}`);
    await run(`jwt verify ${token}`);
    const params = agent.requests.map((request) => request.params);
    expect(params).toEqual(Array(4).fill({ token }));
    await run(`--keyring ci jwt verify ${token}= --audience api --clock-skew 10m`);
    expect(agent.requests[4]?.params).toEqual({
      ...{ keyring: 'ci', token: `${token}=`, audience: 'api', clock_skew_seconds: 600 },
    });
  });

  it('says what the token says, and how long it holds', async () => {
    answers = { jwt_verify: verified };
    expect(await run(`jwt verify ${token}`)).toEqual({
      code: 0,
      out:
        `valid: signed by ${key.kid} (keyring default)\n` +
        'expires  in 1m 30s (2026-05-14 18:21:30Z)\nclaims   {"sub":"an\\u001bn"}\n',
      err: '',
      bytes: expect.any(Buffer) as Buffer,
    });
    expect(JSON.parse((await run(`--json jwt verify ${token}`)).out)).toEqual(verified);
  });

  it('exits 5 with the rule where it does not verify', async () => {
    answers = { jwt_verify: refused };
    expect(await run(`jwt verify ${token}`)).toMatchObject({
      ...{ code: 5, err: '' },
      out: 'not valid: no such \\u{1b} key (rule kid, keyring default)\n',
    });
    const session = await run(`jwt verify --json ${token}`);
    expect(session.code).toBe(5);
    expect(JSON.parse(session.out)).toEqual(refused);
  });

  it('takes nothing but a clear yes or no', async () => {
    for (const jwt_verify of [
      {},
      { valid: 'true', kid: key.kid, expires_at: signed.expires_at },
      { valid: true, kid: null, expires_at: signed.expires_at },
      { valid: true, kid: key.kid },
      { valid: false },
    ]) {
      answers = { jwt_verify };
      expect(await run(`jwt verify ${token}`)).toMatchObject({ code: 1, out: '' });
    }
  });

  it('refuses usage that cannot be meant', async () => {
    for (const line of [
      'jwt verify no-such-file',
      'jwt verify /no/such.file',
      `jwt verify ${token} --clock-skew 11m`,
      `jwt verify ${token} --clock-skew 1`,
      'jwt verify --jwks -',
      `jwt verify ${token} --jwks /nonexistent`,
    ]) {
      expect(await run(line), line).toMatchObject({ code: 2, out: '' });
    }
    expect(agent.requests).toEqual([]);
  });
});

describe('agentctl jwt verify --jwks', () => {
  const setOf = (...keys: object[]): string => JSON.stringify({ keys });
  const own = jwkOf(key);
  const offline = (set: string, given = token): Promise<Session> =>
    agentctl(['--socket', '/none', 'jwt', 'verify', given, '--jwks', file(set)], { now });

  it('needs no agent', async () => {
    const { code, out } = await offline(setOf(own));
    expect(code).toBe(0);
    expect(out).toContain(`claims   ${JSON.stringify(claims)}\n`);
    const late = { now: now + 90_000 };
    const argv = ['jwt', 'verify', token, '--jwks', file(setOf(own))];
    expect(await agentctl(argv, late)).toMatchObject({ code: 5 });
    expect(await agentctl([...argv, '--clock-skew', '1s'], late)).toMatchObject({ code: 0 });
    const stdin = { now, stdin: setOf(own) };
    expect((await agentctl(['jwt', 'verify', token, '--jwks', '-'], stdin)).code).toBe(0);
  });

  it('passes over keys of other kinds and for other uses', async () => {
    const others = [
      { kty: 'RSA', kid: key.kid, n: 'AQAB', e: 'AQAB' },
      { kty: 'oct', kid: key.kid, k: own['x'] },
      { ...own, use: 'enc' },
      { ...own, kid: undefined },
      {},
    ];
    expect((await offline(setOf(...others, own))).code).toBe(0);
    const none = await offline(setOf(...others));
    expect(none).toMatchObject({ code: 2, out: '' });
    expect(none.err).toContain('no Ed25519 or P-256 key with a kid');
    const mac = handMade({ alg: 'HS256', kid: key.kid }, claims, key.sign);
    expect((await offline(setOf(...others, own), mac)).out).toMatch(/\(rule alg, /);
  });

  const ec: Readonly<Record<string, unknown>> = jwkOf(tokenKey('es256'));
  const [x, y] = [ec['x'] as string, ec['y'] as string];
  const short = Buffer.from(x, 'base64url').subarray(1).toString('base64url');
  it.each([
    ['whose coordinate is cut off', { ...ec, x: short }],
    ['for another algorithm', { ...ec, alg: 'ECDH-ES' }],
    ['without a coordinate', { kty: 'EC', crv: 'P-256', x, kid: 'e' }],
    ['for agreements alone', { ...ec, key_ops: ['deriveBits'] }],
    ['with key_ops that are none', { ...ec, key_ops: 'verify' }],
    ['that says another algorithm than its own', { ...own, kid: 'e', alg: 'ES256' }],
    ['with numbers for coordinates', { ...ec, x: 1, y: 2 }],
    ['that is no object', null],
    ['that is a list', [x, y]],
    ['of the same kid and another type', { ...ec, kid: key.kid }],
    ['that is itself once more', own],
    ['of the same kid that cannot be used', { ...own, x: 'AAAA' }],
  ])('passes over a key %s', async (_, other) => {
    const set = JSON.stringify({ keys: [other, own] });
    expect(await offline(set)).toMatchObject({ code: 0, err: '' });
  });

  it('says why the key that the token names was passed over', async () => {
    const other = { ...jwkOf(tokenKey('ed25519')), kid: 'other' };
    const { code, out } = await offline(setOf({ ...own, key_ops: ['deriveBits'] }, other));
    expect(code).toBe(5);
    expect(out).toMatch(/is not valid now \(.*: key 1: a JWK that is not for verifying/);
  });

  it('takes both names of Ed25519, and only the one that the key says', async () => {
    const named = (alg: string): string => handMade({ alg, kid: key.kid }, claims, key.sign);
    for (const alg of [undefined, 'EdDSA', 'Ed25519']) {
      expect((await offline(setOf({ ...own, alg }), named('Ed25519'))).code).toBe(0);
    }
    expect((await offline(setOf({ ...own, alg: 'EdDSA' }), named('EdDSA'))).code).toBe(0);
    const refusal = await offline(setOf({ ...own, alg: 'Ed25519' }), named('EdDSA'));
    expect(refusal).toMatchObject({ code: 5 });
    expect(refusal.out).toContain('not that of the key, Ed25519 (rule alg');
  });

  it('refuses two keys of one kid and type, for tokens that name it', async () => {
    const twin = { ...jwkOf(tokenKey('ed25519')), kid: key.kid };
    expect((await offline(setOf(own, twin))).out).toMatch(/several keys .*\(rule kid, /);
    const other = tokenKey('ed25519');
    const by = handMade({ alg: 'EdDSA', kid: other.kid }, claims, other.sign);
    expect((await offline(setOf(own, twin, jwkOf(other)), by)).code).toBe(0);
  });

  it('takes a token of the type that is asked for, and no other', async () => {
    const at = handMade({ alg: 'EdDSA', typ: 'at+jwt', kid: key.kid }, claims, key.sign);
    const argv = ['jwt', 'verify', '--jwks', file(setOf(own))];
    expect((await agentctl([...argv, at, '--typ', 'at+jwt'], { now })).code).toBe(0);
    expect((await agentctl([...argv, token, '--typ', 'at+jwt'], { now })).out).toMatch(/rule typ/);
    expect((await agentctl([...argv, at], { now })).out).toMatch(/rule typ/);
  });

  it('goes by the kid that the set gives a key', async () => {
    const named = handMade({ alg: 'EdDSA', kid: 'blue' }, claims, key.sign);
    expect((await offline(setOf({ ...own, kid: 'blue' }), named)).code).toBe(0);
    expect((await offline(setOf(own), named)).out).toMatch(/"blue", is not valid.*\(rule kid, /);
  });

  it.each([
    ['no JSON', 'keys', 'not a JWK Set'],
    ['a key alone', JSON.stringify(own), 'not a JWK Set'],
    ['a private key', setOf({ ...own, d: 'AAAA' }), 'PRIVATE'],
    ['a key that is cut off', setOf({ ...own, x: 'AAAA' }), 'is not 32 bytes'],
    ['a key with the algorithm of another', setOf({ ...own, alg: 'ES256' }), '"alg"'],
  ])('refuses a file with %s', async (_, set, why) => {
    const session = await offline(set);
    expect(session).toMatchObject({ code: 2, out: '' });
    expect(session.err).toContain(why);
  });
});
