import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/cli/shell/digest.ts';
import { kidOf } from '../../src/algorithms/kid.ts';
import { agentctl, type Session } from '../support/cli-session.ts';
import { FakeAgent } from '../support/fake-agent.ts';

const dir = mkdtempSync(join(tmpdir(), 'cli-sign-'));
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const bytes = Buffer.alloc(32, 7);
const kid = kidOf(bytes);
const active = { kid, public_key_b64: bytes.toString('base64url'), status: 'active' };
const honest: Readonly<Record<string, unknown>> = {
  describe_backend: { algorithm: 'ed25519' },
  list_valid_pubkeys: { keys: [active] },
  sign: { kid, signature_b64: Buffer.alloc(64, 7).toString('base64url') },
};

/** One command against an agent that answers as it is told; what it was asked, too. */
async function against(
  answers: Readonly<Record<string, unknown>>,
  ...words: string[]
): Promise<Session & { asked: string[]; kids: unknown[] }> {
  const agent = await FakeAgent.start(({ method }, reply) => {
    reply.result({ ...honest, ...answers }[method]);
  });
  try {
    const session = await agentctl(['--socket', agent.path, ...words]);
    const asked = agent.requests.map(({ method }) => method);
    return { ...session, asked, kids: agent.asked('sign').map(({ params }) => params['kid']) };
  } finally {
    await agent.remove();
  }
}

describe.each(['sshsig', 'minisign'])('sign --format %s', (format) => {
  it('chooses the key first, and has it and no other sign', async () => {
    const signed = await against({}, 'sign', '--format', format);
    expect(signed).toMatchObject({ code: 0, err: '' });
    const count = format === 'minisign' ? 2 : 1;
    const signs = Array<string>(count).fill('sign');
    expect(signed.asked).toEqual(['describe_backend', 'list_valid_pubkeys', ...signs]);
    expect(signed.kids).toEqual(Array(count).fill(kid));
  });

  it('makes nothing of answers that cannot be right', async () => {
    const answers: [Readonly<Record<string, unknown>>, RegExp][] = [
      [{ describe_backend: { algorithm: 'ed448' } }, /algorithm that this agentctl does not know/],
      [{ describe_backend: { algorithm: 'toString' } }, /does not know/],
      [{ describe_backend: { algorithm: 'es256' } }, /no public key of its keyring/],
      [{ list_valid_pubkeys: { keys: [] } }, /named no active key/],
      [{ list_valid_pubkeys: { keys: [{ ...active, kid: '00000000' }] } }, /no public key/],
      [{ list_valid_pubkeys: { keys: [{ ...active, public_key_b64: '!' }] } }, /no public key/],
      [{ sign: { kid: '00000000', signature_b64: 'AAAA' } }, /signed with another key/],
      [{ sign: { kid, signature_b64: 'AAAA' } }, /is no signature/],
    ];
    for (const [answer, why] of answers) {
      const session = await against(answer, 'sign', '--format', format);
      expect(session).toMatchObject({ code: 1, out: '' });
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
