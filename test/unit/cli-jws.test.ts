import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agentctl, type Session, type Surroundings } from '../support/cli-session.ts';
import { FakeAgent, type Script } from '../support/fake-agent.ts';
import { handMade, tokenKey } from '../support/hand-made-tokens.ts';

const keys = ['ed25519', 'es256'].map((name) => tokenKey(name as 'ed25519'));
const [ed, ec] = keys as [(typeof keys)[0], (typeof keys)[0]];
const message = Buffer.from('a message\n');
const dir = mkdtempSync(join(tmpdir(), 'cli-jws-'));
const messageFile = join(dir, 'message');
writeFileSync(messageFile, message);

let script: Script;
let agent: FakeAgent;
beforeAll(async () => {
  agent = await FakeAgent.start((...given) => {
    script(...given);
  });
});
afterEach(() => agent.requests.splice(0));
afterAll(async () => {
  await agent.remove();
  rmSync(dir, { recursive: true, force: true });
});

function run(line: string, surroundings: Surroundings = {}): Promise<Session> {
  return agentctl(['--socket', agent.path, ...line.split(' ')], surroundings);
}

/** An agent whose active key was replaced so many times while it was asked to sign. */
function agentOf(algorithm: string, replaced = 0, alg = 'EdDSA'): Script {
  let left = replaced;
  return ({ method, params }, reply) => {
    if (method === 'describe_backend') reply.result({ algorithm });
    else if (method === 'active_key_id') reply.result({ kid: ed.kid });
    else if (method === 'jwks') reply.result({ keys: [{ kid: ed.kid, alg }] });
    else if (left > 0) {
      left -= 1;
      reply.error(-32003, 'valid no more', { kind: 'unknown_kid' });
    } else {
      const input = Buffer.from(params['message_b64'] as string, 'base64url').toString();
      const signature_b64 = ed.sign(input).toString('base64url');
      reply.result({ kid: params['kid'] ?? '11111111', signature_b64 });
    }
  };
}

async function headerOf(line: string): Promise<unknown> {
  const { code, out } = await run(line, { stdin: 'x' });
  expect(code).toBe(0);
  return JSON.parse(Buffer.from(out.split('.')[0] ?? '', 'base64url').toString());
}

describe('agentctl sign --format jws', () => {
  it('has the bytes of the file under a header with alg and kid, and nothing else', async () => {
    script = agentOf('ed25519');
    const { code, out } = await run(`--keyring ci sign --format jws ${messageFile}`);
    expect(code).toBe(0);
    expect(out).toBe(`${handMade({ alg: 'EdDSA', kid: ed.kid }, message, ed.sign)}\n`);
    const sent = agent.requests.map(({ method, params }) => [method, params['keyring']]);
    expect(sent).toEqual([
      ['active_key_id', 'ci'],
      ['describe_backend', 'ci'],
      ['jwks', 'ci'],
      ['sign', 'ci'],
    ]);
    expect(await headerOf('sign --format jws --alg Ed25519')).toEqual({
      alg: 'Ed25519',
      kid: ed.kid,
    });
    script = agentOf('ed25519', 0, 'Ed25519');
    expect(await headerOf('sign --format jws')).toEqual({ alg: 'Ed25519', kid: ed.kid });
    expect(await headerOf('sign --format jws --alg EdDSA')).toEqual({ alg: 'EdDSA', kid: ed.kid });
    agent.requests.splice(0);
    script = agentOf('es256');
    const other = await run('sign --format jws --kid 0a1b2c3d', { stdin: '' });
    expect(other.out).toBe(`${handMade({ alg: 'ES256', kid: '0a1b2c3d' }, '', ed.sign)}\n`);
    expect(agent.asked('active_key_id')).toEqual([]);
  });

  it('starts over once where the active key was replaced, and never with another key than was named', async () => {
    script = agentOf('ed25519', 1);
    expect(await run('sign --format jws', { stdin: 'x' })).toMatchObject({ code: 0 });
    expect(agent.asked('active_key_id')).toHaveLength(2);
    script = agentOf('ed25519', 2);
    expect(await run('sign --format jws', { stdin: 'x' })).toMatchObject({ code: 1, out: '' });
    script = agentOf('ed25519', 1);
    const named = await run('sign --format jws --kid 0a1b2c3d', { stdin: 'x' });
    expect(named).toMatchObject({ code: 1, out: '' });
    expect(named.err).toContain('valid no more');
  });

  it('refuses what does not fit', async () => {
    script = agentOf('ed448');
    expect((await run('sign --format jws', { stdin: 'x' })).err).toContain('not known here: ed448');
    script = ({ method }, reply) => {
      if (method === 'describe_backend') reply.result({ algorithm: 'ed25519' });
      else if (method === 'jwks') reply.result({ keys: [] });
      else reply.result({ kid: method === 'sign' ? '22222222' : ed.kid, signature_b64: 'AAAA' });
    };
    const other = await run('sign --format jws', { stdin: 'x' });
    expect(other.err).toContain('the agent signed with another key');
    script = ({ method }, reply) => {
      if (method === 'describe_backend') reply.result({ algorithm: 'ed25519' });
      else if (method === 'active_key_id') reply.result({ kid: ed.kid });
      else if (method === 'jwks') reply.result({ keys: [] });
      else reply.error(-32008, 'too large', { kind: 'too_large', limit: 10 });
    };
    const large = await run('sign --format jws', { stdin: 'hello' });
    expect(large.err).toContain('a JWS has the 5 bytes in base64: the message has ');
    expect(await run('--json sign --format jws')).toMatchObject({ code: 2, out: '' });
    expect(await run('sign --alg Ed25519')).toMatchObject({ code: 2, out: '' });
    expect(await run('sign --format jws --alg HS256')).toMatchObject({ code: 2, out: '' });
    script = agentOf('es256');
    const es256 = await run('sign --format jws --alg Ed25519', { stdin: 'x' });
    expect(es256).toMatchObject({ code: 2, out: '' });
    expect(es256.err).toContain('es256 keys sign with ES256, not Ed25519');
  });
});

const jwsOf = (change: object = {}, payload = message, by = ed): string =>
  handMade({ alg: by === ec ? 'ES256' : 'EdDSA', kid: by.kid, ...change }, payload, by.sign);

function verify(jws: string, by = ed): Promise<Session> {
  const key = Buffer.from(by.bytes).toString('base64url');
  const argv = ['verify', messageFile, '--signature', '-', '--public-key', key];
  return agentctl(['--socket', '/none', ...argv], { stdin: `${jws}\n` });
}

describe('agentctl verify of a JWS, with a public key', () => {
  it.each(keys)('verifies %j', async (by) => {
    expect(await verify(jwsOf({}, message, by), by)).toMatchObject({
      code: 0,
      out: `valid: signed by ${by.kid} (the public key that was given)\n`,
    });
    expect(await verify(jwsOf({ kid: undefined, typ: 'JOSE' }, message, by), by)).toMatchObject({
      code: 0,
    });
  });

  it('takes the name of RFC 9864 for Ed25519 as well', async () => {
    expect(await verify(jwsOf({ alg: 'Ed25519' }))).toMatchObject({ code: 0 });
  });

  const body = message.toString('base64url');
  it.each([
    ['of another message', jwsOf({}, Buffer.from('another')), 'not this message'],
    ['without its payload', jwsOf().replace(body, ''), 'not this message'],
    ['of another key', jwsOf({}, message, tokenKey('ed25519')), 'does not fit'],
    ['without a signature', jwsOf().slice(0, -86), 'has 64 bytes'],
    ['with alg none', jwsOf({ alg: 'none' }), 'not that of the key, EdDSA'],
    ['with the alg of another key', jwsOf({ alg: 'ES256' }), 'not that of the key, EdDSA'],
    ['with crit', jwsOf({ crit: ['b64'], b64: false }), 'the header has crit'],
    ['with b64', jwsOf({ b64: true }), 'the header has b64'],
    ['with a header that is none', jwsOf().replace(/^[^.]+/, 'e30x'), 'not JSON'],
  ])('refuses one %s', async (_, jws, why) => {
    const session = await verify(jws);
    expect(session).toMatchObject({ code: 5, err: '' });
    expect(session.out).toMatch(/^not valid: /);
    expect(session.out).toContain(why);
  });

  it('verifies nothing that differs from it in one character', async () => {
    const jws = jwsOf();
    const character = fc.constantFrom(...'ABCDEFGHabcdefgh0123456789-_.=+/ '.split(''));
    await fc.assert(
      fc.asyncProperty(fc.nat(jws.length - 1), character, async (at, instead) => {
        const changed = jws.slice(0, at) + instead + jws.slice(at + 1);
        fc.pre(changed !== jws);
        expect((await verify(changed)).code).toBe(5);
      }),
      { numRuns: 200 },
    );
  });
});

describe('agentctl verify of a JWS, against a keyring', () => {
  const ask = (jws: string, ...words: string[]): Promise<Session> =>
    agentctl(['--socket', agent.path, 'verify', messageFile, '--signature', '-', ...words], {
      stdin: jws,
    });
  const knows: Script = ({ method, params }, reply) => {
    if (method === 'describe_backend') reply.result({ algorithm: 'ed25519' });
    else reply.result({ valid: true, kid: params['kid'] });
  };

  it('asks about what was signed, by the key that the header names', async () => {
    script = knows;
    const jws = jwsOf();
    expect((await ask(jws)).out).toBe(`valid: signed by ${ed.kid} (keyring default)\n`);
    const [input, signature_b64] = [jws.slice(0, -87), jws.slice(-86)];
    expect(agent.asked('verify')[0]?.params).toEqual({
      kid: ed.kid,
      message_b64: Buffer.from(input).toString('base64url'),
      signature_b64,
    });
    expect((await ask(jws, '--kid', ed.kid)).code).toBe(0);
  });

  it.each([
    ['without a kid', jwsOf({ kid: undefined }), []],
    ['with a kid of another form', jwsOf({ kid: 'blue' }), []],
    ['with another kid than was asked for', jwsOf(), ['--kid', '0a1b2c3d']],
    ['with an alg that is not that of the keyring', jwsOf({ alg: 'ES256' }), []],
    ['of another message', jwsOf({}, Buffer.from('another')), []],
  ])('refuses one %s, and does not ask about it', async (_, jws, words) => {
    script = knows;
    expect(await ask(jws, ...words)).toMatchObject({ code: 5, err: '' });
    expect(agent.asked('verify')).toEqual([]);
  });
});
