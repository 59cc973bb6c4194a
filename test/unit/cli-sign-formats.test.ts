import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/cli/shell/digest.ts';
import { kidOf } from '../../src/algorithms/kid.ts';
import { keyIdOf } from '../../src/formats/minisign/key-id.ts';
import { encodeSignatureFile } from '../../src/formats/minisign/signature.ts';
import { encodeSshsig, type SshsigContext } from '../../src/formats/ssh/sshsig.ts';
import { agentctl, type Session } from '../support/cli-session.ts';
import { FakeAgent } from '../support/fake-agent.ts';

const dir = mkdtempSync(join(tmpdir(), 'cli-sign-'));
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const bytes = Buffer.alloc(32, 7);
const kid = kidOf(bytes);
const signature = Buffer.alloc(64, 7);
const signature_b64 = signature.toString('base64url');
const comment = 'timestamp:0\thashed';

function sshsig(change: Partial<SshsigContext> = {}, key = bytes): string {
  const context = { namespace: 'file', reserved: Buffer.alloc(0), hash: 'sha512', ...change };
  return encodeSshsig({ algorithm: 'ed25519', bytes: key }, context as SshsigContext, signature);
}

function minisig(change: { isPrehashed?: boolean; comment?: string } = {}, key = bytes): string {
  const { isPrehashed = true, comment: trusted = comment } = change;
  const made = { isPrehashed, keyId: keyIdOf(key), signature, globalSignature: signature };
  return encodeSignatureFile({ ...made, trustedComment: Buffer.from(trusted) }, 'x');
}

const honest: Readonly<Record<string, unknown>> = {
  describe_backend: { algorithm: 'ed25519' },
  sign_sshsig: { kid, signature_b64, sshsig: sshsig() },
  sign_minisign: { kid, signature_b64, minisig: minisig() },
};

/** One command against an agent that answers as it is told; what it was asked, too. */
async function against(
  answers: Readonly<Record<string, unknown>>,
  ...words: string[]
): Promise<Session & { asked: string[]; params: unknown[] }> {
  const agent = await FakeAgent.start(({ method }, reply) => {
    reply.result({ ...honest, ...answers }[method]);
  });
  try {
    const session = await agentctl(['--socket', agent.path, ...words], { stdin: 'a file' });
    const asked = agent.requests.map(({ method }) => method);
    return { ...session, asked, params: agent.requests.map(({ params }) => params) };
  } finally {
    await agent.remove();
  }
}

function digest(algorithm: string): string {
  return createHash(algorithm).update('a file').digest('base64url');
}

const other = Buffer.alloc(32, 8);
const noSignature = /no signature of what was asked for/;

describe('sign --format sshsig', () => {
  it('sends the digest, and prints what the agent made of it', async () => {
    const signed = await against({}, '--keyring', 'ci', 'sign', '--format', 'sshsig');
    expect(signed).toMatchObject({ code: 0, err: '', out: sshsig() });
    expect(signed.asked).toEqual(['describe_backend', 'sign_sshsig']);
    const digest_b64 = digest('sha512');
    expect(signed.params).toEqual([
      { keyring: 'ci' },
      { keyring: 'ci', namespace: 'file', hash_algorithm: 'sha512', digest_b64 },
    ]);
    const sign_sshsig = { kid, signature_b64, sshsig: sshsig({ namespace: 'git' }) };
    const words = ['sign', '--format', 'sshsig', '--namespace', 'git', '--kid', kid];
    const named = await against({ sign_sshsig }, ...words);
    expect(named).toMatchObject({ code: 0, params: [{}, { namespace: 'git', kid }] });
  });

  it.each<[string, unknown]>([
    ['is of another kid', { kid: '00000000', signature_b64, sshsig: sshsig() }],
    ['is by another key', { kid, signature_b64, sshsig: sshsig({}, other) }],
    ['is for something else', { kid, signature_b64, sshsig: sshsig({ namespace: 'git' }) }],
    ['is by another hash', { kid, signature_b64, sshsig: sshsig({ hash: 'sha256' }) }],
    ['is none', { kid, signature_b64, sshsig: 'x' }],
    ['is not there', { kid, signature_b64 }],
  ])('makes nothing of an answer that %s', async (_, sign_sshsig) => {
    const session = await against({ sign_sshsig }, 'sign', '--format', 'sshsig');
    expect(session).toMatchObject({ code: 1, out: '' });
    expect(session.err).toMatch(noSignature);
  });

  it('makes nothing of a signature by another key than was named', async () => {
    const words = ['sign', '--format', 'sshsig', '--kid', kidOf(other)];
    const session = await against({}, ...words);
    expect(session).toMatchObject({ code: 1, out: '' });
    expect(session.err).toMatch(noSignature);
  });
});

describe('sign --format minisign', () => {
  const words = ['sign', '--format', 'minisign', '--trusted-comment', comment];

  it('sends digest and comment, and prints what the agent made of them', async () => {
    const signed = await against({}, ...words);
    expect(signed).toMatchObject({ code: 0, err: '', out: minisig() });
    expect(signed.asked).toEqual(['describe_backend', 'sign_minisign']);
    const digest_b64 = digest('blake2b512');
    expect(signed.params[1]).toEqual({ trusted_comment: comment, digest_b64 });
  });

  it.each<[string, unknown]>([
    ['is of another kid', { kid: '00000000', signature_b64, minisig: minisig() }],
    ['is by another key', { kid, signature_b64, minisig: minisig({}, other) }],
    ['has another comment', { kid, signature_b64, minisig: minisig({ comment: 'y' }) }],
    ['is not of the digest', { kid, signature_b64, minisig: minisig({ isPrehashed: false }) }],
    ['is none', { kid, signature_b64, minisig: 'x' }],
    ['is not there', { kid, signature_b64 }],
  ])('makes nothing of an answer that %s', async (_, sign_minisign) => {
    const session = await against({ sign_minisign }, ...words);
    expect(session).toMatchObject({ code: 1, out: '' });
    expect(session.err).toMatch(noSignature);
  });

  it('is for Ed25519 keys alone, which is said before the file is read', async () => {
    for (const [algorithm, why] of [
      ['es256', /--format sshsig takes both/],
      ['ed448', /not known here: ed448/],
      ['toString', /not known here/],
    ] as const) {
      const session = await against({ describe_backend: { algorithm } }, ...words);
      expect(session).toMatchObject({ code: 1, out: '', asked: ['describe_backend'] });
      expect(session.err).toMatch(why);
    }
  });
});

describe('a long file', () => {
  it('is followed on a terminal, and nowhere else', async () => {
    const long = join(dir, 'long');
    const fd = openSync(long, 'w');
    ftruncateSync(fd, 256 * 1024 * 1024); // zeros that take no room
    closeSync(fd);
    writeFileSync(join(dir, 'short'), 'x');
    const said = async (path: string, isTTY: boolean): Promise<string> => {
      const stderr = Object.assign(new PassThrough(), { isTTY });
      const [stdin, stdout] = [new PassThrough().end('x'), new PassThrough()];
      const digest = await digestOf(
        path,
        { stdin, stdout, stderr, env: {}, now: () => 0 },
        'sha256',
      );
      expect(digest).toHaveLength(32);
      return String(stderr.read() ?? '');
    };
    const steps = [...Array(101).keys()].map((percent) => `\r${percent}% read`).join('');
    expect(await said(long, true)).toBe(`${steps}\r\u001b[K`);
    expect(await said(join(dir, 'short'), true)).toBe('');
    expect(await said('-', true)).toBe('');
    expect(await said(join(dir, 'short'), false)).toBe('');
  });
});
