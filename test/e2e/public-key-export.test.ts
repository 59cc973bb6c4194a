import { createHash, createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentctl, type Session } from '../support/cli-session.ts';
import { run as program } from '../support/daemon.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

let token: SoftHsmToken;
let agent: InProcessAgent;
const path = (name: string): string => join(agent.folder, name);

beforeAll(async () => {
  token = await makeToken('prod');
  token.use();
  agent = await new InProcessAgent(
    `[keyrings.default]\nbackend = "file"\n
     [keyrings.p256]\nbackend = "pkcs11"\nuri = "${token.uri}"\nalgorithm = "es256"\n`,
  ).start();
});
afterAll(async () => {
  await agent.remove();
  await token.remove();
});

const run = (line: string): Promise<Session> =>
  agentctl(['--socket', agent.socket, ...line.split(' ')]);

interface Key {
  readonly kid: string;
  readonly public_key_b64: string;
}
async function keyIn(state: string, keyring: string): Promise<Key> {
  const { out } = await run(`--json --keyring ${keyring} keys list`);
  const { keys } = JSON.parse(out) as { keys: (Key & { state: string })[] };
  const key = keys.find((one) => one.state === state);
  if (key === undefined) throw new Error(`no key is ${state}`);
  return key;
}
async function exported(keyring: string, kid: string, format: string): Promise<string> {
  const { code, out, err } = await run(`--keyring ${keyring} keys show ${kid} --format ${format}`);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out;
}

describe.each([
  ['default', 'ed25519', 'ED25519'],
  ['p256', 'es256', 'ECDSA'],
])('keys show --format of keyring %s (%s)', (keyring, algorithm, sshName) => {
  it('is what OpenSSL, OpenSSH and jose read', async () => {
    const { kid, public_key_b64 } = await keyIn('active', keyring);
    const raw = Buffer.from(public_key_b64, 'base64url');
    expect(await exported(keyring, kid, 'b64')).toBe(`${public_key_b64}\n`);

    writeFileSync(path('key.pem'), await exported(keyring, kid, 'pem'));
    const der = await program('openssl', ['pkey', '-pubin', '-in', path('key.pem'), '-text']);
    expect(der.code).toBe(0);
    const spki = createPublicKey(await exported(keyring, kid, 'pem')).export({
      type: 'spki',
      format: 'der',
    });
    expect(spki.subarray(-raw.length)).toEqual(raw);

    const ssh = await exported(keyring, kid, 'ssh');
    expect(ssh).toMatch(new RegExp(`^\\S+ \\S+ ${keyring}/${kid}\n$`));
    writeFileSync(path('key.pub'), ssh);
    const blob = Buffer.from(ssh.split(' ')[1] ?? '', 'base64');
    const print = createHash('sha256').update(blob).digest('base64').replace('=', '');
    const listed = await program('ssh-keygen', ['-l', '-f', path('key.pub')]);
    expect(listed.out).toBe(`256 SHA256:${print} ${keyring}/${kid} (${sshName})\n`);

    const jwk = JSON.parse(await exported(keyring, kid, 'jwk')) as Record<string, string>;
    expect(jwk).toMatchObject({ kid, use: 'sig' });
    expect(await importJWK(jwk)).toMatchObject({ type: 'public' });
  });

  it('is what verify --public-key reads', async () => {
    const { kid } = await keyIn('active', keyring);
    writeFileSync(path('message'), 'a message');
    await run(`--keyring ${keyring} sign ${path('message')} --out ${path('sig')}`);
    const formats = ['b64', 'pem', 'jwk', 'ssh', ...(algorithm === 'ed25519' ? ['minisign'] : [])];
    const verify = ['--socket', '/none', 'verify', path('message'), '--signature', path('sig')];
    for (const format of formats) {
      const key = await exported(keyring, kid, format);
      writeFileSync(path('key'), key);
      for (const given of [path('key'), key]) {
        const { code } = await agentctl([...verify, '--public-key', given]);
        expect(code, format).toBe(0);
      }
    }
  });
});

describe('keys show --format', () => {
  it('has prepared keys and those in grace, and no others', async () => {
    await run('keys prepare');
    const prepared = await keyIn('prepared', 'default');
    expect(await exported('default', prepared.kid, 'b64')).toBe(`${prepared.public_key_b64}\n`);
    await run('keys rotate --grace 1h');
    const old = await keyIn('grace', 'default');
    expect(await exported('default', old.kid, 'b64')).toBe(`${old.public_key_b64}\n`);
    await run(`keys revoke ${old.kid} --yes`);
    const revoked = await run(`keys show ${old.kid} --format b64`);
    expect(revoked).toMatchObject({ code: 1, out: '' });
    expect(revoked.err).toContain(`no valid key ${old.kid} in keyring default`);
  });

  it('needs no more than scope reader', async () => {
    await run(`apikey create look --scope reader --out ${path('look.key')}`);
    const { kid, public_key_b64 } = await keyIn('active', 'default');
    const reader = `--api-key-file ${path('look.key')} keys show ${kid}`;
    expect((await run(`${reader} --format b64`)).out).toBe(`${public_key_b64}\n`);
    expect((await run(reader)).code).toBe(4);
  });

  it('refuses what does not go together', async () => {
    const { kid } = await keyIn('active', 'p256');
    const minisign = await run(`--keyring p256 keys show ${kid} --format minisign`);
    expect(minisign).toMatchObject({ code: 1, out: '' });
    expect(minisign.err).toContain(`minisign knows Ed25519 alone, and key ${kid} is es256`);
    expect(await run(`--json keys show ${kid} --format pem`)).toMatchObject({ code: 2, out: '' });
    expect(await run(`keys show ${kid} --format der`)).toMatchObject({ code: 2, out: '' });
  });
});
