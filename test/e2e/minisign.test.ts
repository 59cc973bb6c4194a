import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentctl, type Session, type Surroundings } from '../support/cli-session.ts';
import { run as program, type Ended } from '../support/daemon.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

const now = Date.parse('2026-05-14T18:20:00Z');
let token: SoftHsmToken;
let agent: InProcessAgent;
let kid: string;
const path = (name: string): string => join(agent.folder, name);
const put = (name: string, content: string | Buffer): string => {
  writeFileSync(path(name), content);
  return path(name);
};
const text = (name: string): string => readFileSync(path(name), 'utf8');

beforeAll(async () => {
  token = await makeToken('prod');
  token.use();
  agent = await new InProcessAgent(
    `[keyrings.default]\nbackend = "file"\n
     [keyrings.token]\nbackend = "pkcs11"\nuri = "${token.uri}"\n
     [keyrings.p256]\nbackend = "pkcs11"\nuri = "${token.uri}"\nalgorithm = "es256"\n`,
  ).start();
  put('message', 'a message');
  kid = await activeKid('default');
  put('ours.pub', (await run(`keys show ${kid} --format minisign`)).out);
  await minisign('-G -W -p theirs.pub -s theirs.key');
});
afterAll(async () => {
  await agent.remove();
  await token.remove();
});

/** The stock program, in the test's folder. */
function minisign(line: string): Promise<Ended> {
  const words = line.split(' ');
  return program('sh', ['-c', 'cd "$0" && exec minisign "$@"', agent.folder, ...words]);
}
function run(line: string, surroundings: Surroundings = {}): Promise<Session> {
  const words = line.split(' ').map((word) => word.replace(/^@/, `${agent.folder}/`));
  return agentctl(['--socket', agent.socket, ...words], { now, ...surroundings });
}
/** Asks no agent: there is none at this socket. */
const offline = (line: string): Promise<Session> => run(`--socket /none ${line}`);

async function activeKid(keyring: string): Promise<string> {
  const { out } = await run(`--json --keyring ${keyring} keys list`);
  const { keys } = JSON.parse(out) as { keys: { kid: string; state: string }[] };
  return keys.find(({ state }) => state === 'active')?.kid ?? 'none';
}

describe('sign --format minisign', () => {
  it('makes what minisign verifies, with a comment as its own', async () => {
    const made = await run('sign @message --format minisign --out @message.minisig');
    expect(made).toMatchObject({ code: 0, out: '', err: '' });
    expect(await minisign('-V -p ours.pub -m message')).toMatchObject({
      code: 0,
      out: 'Signature and comment signature verified\nTrusted comment: timestamp:1778782800\tfile:message\thashed\n',
    });
    put('changed', 'another message');
    expect((await minisign('-V -p ours.pub -m changed -x message.minisig')).code).not.toBe(0);
    const [untrusted] = text('message.minisig').split('\n');
    expect(untrusted).toBe(`untrusted comment: signature by key ${kid}`);
  });

  it('takes a comment, stdin, a key, and a token', async () => {
    const comment = 'Fassung 1.0,\tgeprüft';
    const args = ['sign', path('message'), '--format', 'minisign', '--trusted-comment', comment];
    const { out } = await agentctl(['--socket', agent.socket, ...args, '--kid', kid]);
    put('message.minisig', out);
    expect((await minisign('-V -Q -p ours.pub -m message')).out).toBe(`${comment}\n`);
    const piped = await run('sign --format minisign', { stdin: 'a message' });
    put('message.minisig', piped.out);
    expect((await minisign('-V -Q -p ours.pub -m message')).out).toBe(
      'timestamp:1778782800\thashed\n',
    );
    put('message.minisig', (await run('--keyring token sign @message --format minisign')).out);
    const show = `--keyring token keys show ${await activeKid('token')} --format minisign`;
    put('token.pub', (await run(show)).out);
    expect((await minisign('-V -p token.pub -m message')).code).toBe(0);
  });

  it('refuses es256, and comments that are no line', async () => {
    const p256 = await run('--keyring p256 sign @message --format minisign');
    expect(p256).toMatchObject({ code: 1, out: '' });
    expect(p256.err).toContain('minisign knows Ed25519 alone, and keyring p256 has es256 keys');
    const signing = ['--socket', agent.socket, 'sign', path('message'), '--format', 'minisign'];
    for (const comment of [
      'two\nlines',
      'a\rb',
      '\u001b[31m',
      '\u0085',
      '\u2028',
      'x'.repeat(8174),
    ]) {
      const session = await agentctl([...signing, '--trusted-comment', comment]);
      expect(session, comment.slice(0, 9)).toMatchObject({ code: 2, out: '' });
      expect(session.err).toContain('the trusted comment ');
    }
    const longest = await agentctl([...signing, '--trusted-comment', 'x'.repeat(8173)]);
    put('message.minisig', longest.out);
    expect((await minisign('-V -p ours.pub -m message')).code).toBe(0);
    put('a\nfile', '');
    const named = [...signing.slice(0, 3), path('a\nfile'), ...signing.slice(4)];
    expect((await agentctl(named)).err).toContain('give --trusted-comment');
    expect((await agentctl([...named, '--trusted-comment', ''])).code).toBe(0);
  });
});

describe('verify of minisign signatures', () => {
  it('takes what minisign signed, prehashed or not', async () => {
    for (const form of ['-H', '-l']) {
      await minisign(`-S ${form} -s theirs.key -m message -x m.minisig -t hello`);
      const verify = 'verify @message --signature @m.minisig --public-key';
      expect(await offline(`${verify} @theirs.pub`)).toMatchObject({
        code: 0,
        out: expect.stringMatching(
          /^valid: signed by [0-9a-f]{8} \(the public key that was given\)\ntrusted comment: hello\n$/,
        ) as string,
      });
      expect((await offline(`${verify} ${text('theirs.pub').split('\n')[1] ?? ''}`)).code).toBe(0);
      put('changed', 'a messagf');
      const changed = `verify @changed --signature @m.minisig --public-key @theirs.pub`;
      expect(await offline(changed)).toMatchObject({
        code: 5,
        out: 'not valid: the signature does not fit this message and key\n',
      });
      expect((await offline(`${verify} @ours.pub`)).out).toContain(
        'not the public key that was given',
      );
      const unknown = await run('verify @message --signature @m.minisig');
      expect(unknown.code).toBe(5);
      const keyId = /key ([0-9A-F]{16})/.exec(text('theirs.pub'))?.[1] ?? 'none';
      expect(unknown.out).toContain(`calls ${keyId}: no valid key of keyring default`);
    }
  });

  it('finds its own keys by their key ids', async () => {
    put('m.minisig', (await run('sign @message --format minisign --trusted-comment x')).out);
    const verify = 'verify @message --signature @m.minisig';
    expect(await run(verify)).toMatchObject({
      code: 0,
      out: `valid: signed by ${kid} (keyring default)\ntrusted comment: x\n`,
    });
    expect(JSON.parse((await run(`--json ${verify}`)).out)).toEqual({
      valid: true,
      kid,
      trusted_comment: 'x',
    });
    expect((await run(`${verify} --kid ${kid}`)).code).toBe(0);
    expect((await run(`${verify} --kid 00000000`)).code).toBe(5);
    expect((await run(`--keyring p256 ${verify}`)).code).toBe(5);
    const raw = (await run(`keys show ${kid} --format b64`)).out.trim();
    expect((await offline(`${verify} --public-key ${raw}`)).code).toBe(0);
  });

  it('shows a comment without obeying it', async () => {
    await minisign('-S -s theirs.key -m message -x m.minisig -t a\u001b[31mb');
    const { out } = await offline(
      'verify @message --signature @m.minisig --public-key @theirs.pub',
    );
    expect(out).toContain('trusted comment: a\\u{1b}[31mb\n');
  });

  it('refuses it where any part was changed', async () => {
    const { out } = await run('sign @message --format minisign --trusted-comment hello');
    const lines = out.trimEnd().split('\n');
    const [untrusted = '', signature = '', trusted = '', global = ''] = lines;
    const bytes = Buffer.from(signature, 'base64');
    const flipped = (at: number): string => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy.toString('base64');
    };
    const files: [string, string[], number][] = [
      ['as it is', lines, 0],
      ['with CRLF', [`${untrusted}\r`, `${signature}\r`, `${trusted}\r`, `${global}\r`], 0],
      ['another untrusted comment', ['untrusted comment: x', signature, trusted, global], 0],
      ['another trusted comment', [untrusted, signature, 'trusted comment: Hello', global], 5],
      ['a longer one', [untrusted, signature, `${trusted} `, global], 5],
      ['another algorithm', [untrusted, flipped(0), trusted, global], 5],
      ['the older form', [untrusted, flipped(1), trusted, global], 5],
      ['another key id', [untrusted, flipped(2), trusted, global], 5],
      ['another R', [untrusted, flipped(10), trusted, global], 5],
      ['another S', [untrusted, flipped(70), trusted, global], 5],
      ['no global signature', [untrusted, signature, trusted], 5],
      ['another global signature', [untrusted, signature, trusted, signature], 5],
      [
        'the signature twice',
        [untrusted, signature, trusted, bytes.subarray(10).toString('base64')],
        5,
      ],
      ['no trusted comment', [untrusted, signature], 5],
      ['more lines', [...lines, 'x'], 5],
      ['base64 of nothing', [untrusted, '!', trusted, global], 5],
      ['a comment alone', [untrusted], 5],
    ];
    for (const [what, file, code] of files) {
      put('m.minisig', `${file.join('\n')}\n`);
      const session = await run('verify @message --signature @m.minisig');
      expect(session, what).toMatchObject({ code, err: '' });
    }
  });

  it('tells a secret key from a public one', async () => {
    const verify = 'verify @message --signature @m.minisig --public-key';
    put('m.minisig', (await run('sign @message --format minisign')).out);
    const secret = await offline(`${verify} @theirs.key`);
    expect(secret).toMatchObject({ code: 2, out: '' });
    expect(secret.err).toContain('SECRET key');
    expect(secret.err).not.toContain(text('theirs.key').split('\n')[1]?.slice(0, 20));
    put('cut.pub', text('theirs.pub').slice(0, -20));
    expect((await offline(`${verify} @cut.pub`)).err).toContain('cannot be decoded');
  });
});
