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

/** An agent that makes a JWS by its key, or by that of the kid. */
function agentOf(algorithm: string, alg = 'EdDSA'): Script {
  return ({ method, params }, reply) => {
    if (method === 'describe_backend') {
      reply.result({ algorithm });
      return;
    }
    const { kid = ed.kid, headers = {}, payload_b64 } = params;
    const payload = Buffer.from(payload_b64 as string, 'base64url');
    const jws = handMade({ alg, ...(headers as object), kid }, payload, ed.sign);
    reply.result({ kid, signature_b64: jws.slice(-86), jws });
  };
}

async function headerOf(line: string): Promise<unknown> {
  const { code, out } = await run(line, { stdin: 'x' });
  expect(code).toBe(0);
  return JSON.parse(Buffer.from(out.split('.')[0] ?? '', 'base64url').toString());
}

describe('agentctl sign --format jws', () => {
  it('has the bytes of the file signed, under the header that the agent makes', async () => {
    script = agentOf('ed25519');
    const { code, out } = await run(`--keyring ci sign --format jws ${messageFile}`);
    expect(code).toBe(0);
    expect(out).toBe(`${handMade({ alg: 'EdDSA', kid: ed.kid }, message, ed.sign)}\n`);
    const sent = agent.requests.map(({ method, params }) => [method, params]);
    const payload_b64 = message.toString('base64url');
    expect(sent).toEqual([['sign_jws', { keyring: 'ci', payload_b64 }]]);
    expect(await headerOf('sign --format jws --alg Ed25519')).toEqual({
      alg: 'Ed25519',
      kid: ed.kid,
    });
    expect(agent.asked('sign_jws').at(-1)?.params['headers']).toEqual({ alg: 'Ed25519' });
    script = agentOf('ed25519', 'Ed25519');
    expect(await headerOf('sign --format jws')).toEqual({ alg: 'Ed25519', kid: ed.kid });
    expect(await headerOf('sign --format jws --alg EdDSA')).toEqual({ alg: 'EdDSA', kid: ed.kid });
    script = agentOf('es256', 'ES256');
    const other = await run('sign --format jws --kid 0a1b2c3d', { stdin: '' });
    expect(other.out).toBe(`${handMade({ alg: 'ES256', kid: '0a1b2c3d' }, '', ed.sign)}\n`);
  });

  it.each([
    ['of other bytes', { kid: ed.kid, jws: handMade({ alg: 'EdDSA', kid: ed.kid }, 'y', ed.sign) }],
    ['of another kid', { kid: ed.kid, jws: handMade({ alg: 'EdDSA', kid: '0' }, 'x', ed.sign) }],
    ['that is none', { kid: ed.kid, jws: 'x' }],
    ['that is not there', { kid: ed.kid }],
  ])('makes nothing of an answer %s', async (_, result) => {
    script = (_request, reply) => {
      reply.result(result);
    };
    const session = await run('sign --format jws', { stdin: 'x' });
    expect(session).toMatchObject({ code: 1, out: '' });
    expect(session.err).toContain('no signature of what was asked for');
  });

  it('makes nothing of another key than was named, nor of another alg', async () => {
    script = ({ method }, reply) => {
      const jws = handMade({ alg: 'EdDSA', kid: ed.kid }, 'x', ed.sign);
      reply.result(method === 'describe_backend' ? { algorithm: 'ed25519' } : { kid: ed.kid, jws });
    };
    for (const flag of ['--kid 0a1b2c3d', '--alg Ed25519']) {
      const session = await run(`sign --format jws ${flag}`, { stdin: 'x' });
      expect(session).toMatchObject({ code: 1, out: '' });
      expect(session.err).toContain('no signature of what was asked for');
    }
  });

  it('refuses what does not fit', async () => {
    script = agentOf('ed448');
    const unknown = await run('sign --format jws --alg EdDSA', { stdin: 'x' });
    expect(unknown.err).toContain('not known here: ed448');
    script = (_request, reply) => {
      reply.error(-32008, 'too large', { kind: 'too_large', limit: 10 });
    };
    const large = await run('sign --format jws', { stdin: 'hello' });
    expect(large.err).toContain('the message has 5 bytes, and in base64 that is too large');
    script = (_request, reply) => {
      reply.error(-32003, 'valid no more', { kind: 'unknown_kid' });
    };
    const named = await run('sign --format jws --kid 0a1b2c3d', { stdin: 'x' });
    expect(named).toMatchObject({ code: 1, out: '' });
    expect(named.err).toContain('valid no more');
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
