import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sshString, uint32 } from '../../src/formats/ssh/wire.ts';
import { agentctl, type Session } from '../support/cli-session.ts';
import { OpensshKeys } from '../support/openssh-keys.ts';
import { SecurityKey, securityKeyTypes } from '../support/security-key.ts';

// What ssh-keygen accepts and refuses, this does too: each case asks both.

const keys = new OpensshKeys();
afterAll(() => {
  keys.remove();
});
const at = (name: string): string => join(keys.folder, name);
const put = (name: string, content: string | Buffer): string => {
  writeFileSync(at(name), content);
  return at(name);
};
const message = put('message', 'hello\n');
const publicLine = (path: string): string =>
  readFileSync(`${path}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');

/** Signed by ssh-keygen; the path of the signature. */
function signed(path: string): string {
  const armored = execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'file', '-f', path], {
    input: 'hello\n',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  return put(`${path.slice(keys.folder.length + 1)}.sig`, armored);
}

/** Signed by a security key: the armor is put together here. */
function signedBySecurityKey(key: SecurityKey, flags?: number): string {
  const digest = createHash('sha512').update('hello\n').digest();
  const covered = [...['file', '', 'sha512'].map(sshString), sshString(digest)];
  const signature = key.sign(Buffer.concat([Buffer.from('SSHSIG'), ...covered]), flags);
  const parts = [uint32(1), sshString(key.blob), ...['file', '', 'sha512'].map(sshString)];
  const blob = Buffer.concat([Buffer.from('SSHSIG'), ...parts, sshString(signature)]);
  const lines = blob.toString('base64').match(/.{1,70}/g) ?? [];
  const armor = ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----', ''];
  return put(`sk-${key.blob.length}-${flags ?? 1}.sig`, armor.join('\n'));
}

interface Asked {
  readonly signature: string;
  readonly allowed: string;
  readonly file?: string;
  readonly at?: string;
  readonly revoked?: string;
}

/** Whether each of the two accepts. */
async function both(asked: Asked): Promise<{ readonly stock: boolean; readonly ours: Session }> {
  const { signature, allowed, file = message, revoked } = asked;
  const { status } = spawnSync(
    'ssh-keygen',
    [
      ...['-Y', 'verify', '-f', allowed, '-I', 'ann', '-n', 'file', '-s', signature],
      ...(asked.at === undefined ? [] : [`-Overify-time=${asked.at}`]),
      ...(revoked === undefined ? [] : ['-r', revoked]),
    ],
    { input: readFileSync(file) },
  );
  const ours = await agentctl([
    ...['verify', file, '--signature', signature, '--allowed-signers', allowed],
    ...['--identity', 'ann'],
    ...(asked.at === undefined ? [] : ['--at', asked.at]),
    ...(revoked === undefined ? [] : ['--revoked', revoked]),
  ]);
  return { stock: status === 0, ours };
}

async function expectBoth(asked: Asked, accepted: boolean): Promise<string> {
  const { stock, ours } = await both(asked);
  expect({ stock, ours: ours.code }).toEqual({ stock: accepted, ours: accepted ? 0 : 5 });
  return ours.out;
}

const kinds: [string, string[]][] = [
  ['Ed25519', ['-t', 'ed25519']],
  ['ECDSA P-256', ['-t', 'ecdsa', '-b', '256']],
  ['ECDSA P-384', ['-t', 'ecdsa', '-b', '384']],
  ['ECDSA P-521', ['-t', 'ecdsa', '-b', '521']],
  ['RSA of 2048 bits', ['-t', 'rsa', '-b', '2048']],
  ['RSA of 3072 bits', ['-t', 'rsa', '-b', '3072']],
];

describe.each(kinds)('a signature by %s', (_, options) => {
  it('verifies, by whom the file allows, over what was signed and nothing else', async () => {
    const [path, other] = [keys.make(...options), keys.make(...options)];
    const signature = signed(path);
    const allowed = put('allowed', `ann ${publicLine(path)}\n`);
    expect(await expectBoth({ signature, allowed }, true)).toMatch(
      /^valid: signed by ann with key /,
    );
    const changed = put('changed', 'hello\n\n');
    await expectBoth({ signature, allowed, file: changed }, false);
    await expectBoth({ signature, allowed: put('others', `ann ${publicLine(other)}\n`) }, false);
    await expectBoth({ signature, allowed: put('bob', `bob ${publicLine(path)}\n`) }, false);

    const given = ['verify', message, '--signature', signature, '--public-key'];
    expect(await agentctl([...given, `${path}.pub`])).toMatchObject({ code: 0 });
    expect(await agentctl([...given, publicLine(path)])).toMatchObject({ code: 0 });
    const exported = execFileSync('ssh-keygen', ['-e', '-f', `${path}.pub`]);
    expect(await agentctl([...given, put('rfc4716', exported)])).toMatchObject({ code: 0 });
    expect(await agentctl([...given, `${other}.pub`])).toMatchObject({ code: 5 });
  });

  it('is refused where its key is revoked, in a list of keys or a KRL', async () => {
    const [path, other] = [keys.make(...options), keys.make(...options)];
    const asked = { signature: signed(path), allowed: put('allowed', `ann ${publicLine(path)}\n`) };
    const list = put('list', `# revoked\n\n${publicLine(other)} bob\n${publicLine(path)}\n`);
    expect(await expectBoth({ ...asked, revoked: list }, false)).toContain('is revoked');
    await expectBoth({ ...asked, revoked: put('list', `${publicLine(other)}\n`) }, true);
    const specs = { key: `${path}.pub`, other: `${other}.pub` };
    const krl = (name: string, ...words: string[]): string => {
      execFileSync('ssh-keygen', ['-q', '-k', '-f', at(name), ...words]);
      return at(name);
    };
    await expectBoth({ ...asked, revoked: krl('krl', specs.key) }, false);
    await expectBoth({ ...asked, revoked: krl('krl', specs.other) }, true);
    await expectBoth({ ...asked, revoked: krl('krl', specs.other, specs.key) }, false);
    for (const hash of ['sha1', 'sha256']) {
      const spec = put('spec', `${hash}: ${publicLine(path)}\n`);
      await expectBoth({ ...asked, revoked: krl('krl', spec) }, false);
      const elses = put('spec', `${hash}: ${publicLine(other)}\n`);
      await expectBoth({ ...asked, revoked: krl('krl', elses) }, true);
    }
    const serials = put('spec', 'serial: 1-100\nid: ann\n');
    await expectBoth({ ...asked, revoked: krl('krl', '-s', `${other}.pub`, serials) }, true);
  });
});

describe.each(securityKeyTypes)('a signature by a security key of type %s', (type) => {
  it('verifies, touched or not, over what was signed and nothing else', async () => {
    const key = new SecurityKey(type);
    const line = key.line.split(' ').slice(0, 2).join(' ');
    const allowed = put('allowed', `ann ${line}\n`);
    for (const flags of [1, 0, 5]) {
      const signature = signedBySecurityKey(key, flags);
      await expectBoth({ signature, allowed }, true);
      await expectBoth({ signature, allowed, file: put('changed', 'hallo\n') }, false);
      await expectBoth({ signature, allowed, revoked: put('list', `${line}\n`) }, false);
    }
    const other = signedBySecurityKey(new SecurityKey(type));
    await expectBoth({ signature: other, allowed }, false);
  });
});

describe('RSA that is too weak', () => {
  it('is refused by its length, which ssh-keygen takes from 1024 bits on', async () => {
    const path = keys.make('-t', 'rsa', '-b', '1024');
    const signature = signed(path);
    const allowed = put('allowed', `ann ${publicLine(path)}\n`);
    const { stock, ours } = await both({ signature, allowed });
    expect({ stock, ours: ours.code }).toEqual({ stock: true, ours: 5 });
    expect(ours.out).toContain('with 1024 bits, and 2048 is the least that is accepted');
  });
});

describe('--at', () => {
  let asked: Asked;
  beforeAll(() => {
    const path = keys.make('-t', 'ed25519');
    const limits = 'valid-after="20240101Z",valid-before="20241231Z"';
    const allowed = put('limited', `ann ${limits} ${publicLine(path)}\n`);
    asked = { signature: signed(path), allowed };
  });

  it.each([
    ['20231231235959Z', false],
    ['20240101Z', true],
    ['20240615', true],
    ['202406151200', true],
    ['20240615120000Z', true],
    ['20241231000000Z', true],
    ['20241231000001Z', false],
  ])('%s is the time that counts', async (time, accepted) => {
    await expectBoth({ ...asked, at: time }, accepted);
  });

  it('may be RFC 3339 too; without it the time is now', async () => {
    const words = ['verify', message, '--signature', asked.signature, '--identity', 'ann'];
    const given = [...words, '--allowed-signers', asked.allowed];
    expect((await agentctl([...given, '--at', '2024-06-15T12:00:00Z'])).code).toBe(0);
    expect((await agentctl([...given, '--at', '2025-06-15T12:00:00+02:00'])).code).toBe(5);
    await expectBoth(asked, false);
    for (const time of ['soon', '2024', '20241301', '2024-02-30T00:00:00Z', '']) {
      expect((await agentctl([...given, '--at', time])).code).toBe(2);
    }
    const alone = ['verify', message, '--signature', asked.signature, '--at', '20240101Z'];
    expect((await agentctl(alone)).err).toContain('--at goes with --allowed-signers');
  });
});

describe('--revoked', () => {
  it('that cannot be read to its end accepts nothing, as for ssh-keygen', async () => {
    const path = keys.make('-t', 'ed25519');
    const asked = { signature: signed(path), allowed: put('allowed', `ann ${publicLine(path)}\n`) };
    execFileSync('ssh-keygen', ['-q', '-k', '-f', at('krl'), `${path}.pub`]);
    const krl = readFileSync(at('krl'));
    const version = Buffer.from(krl);
    version[11] = 9;
    for (const [name, content, why] of [
      ['garbage', 'not a key\n', 'line 1 is no public key'],
      ['garbage behind a key', `${publicLine(keys.make('-t', 'ed25519'))}\nssh-rsa x\n`, 'line 2'],
      ['a cut KRL', krl.subarray(0, -1), 'ends too early'],
      ['a KRL of another format', version, 'format 9'],
      ['an unknown section', Buffer.concat([krl, Buffer.from([77, 0, 0, 0, 0])]), 'type 77'],
    ] as const) {
      const { stock, ours } = await both({ ...asked, revoked: put('bad', content) });
      expect([name, stock, ours.code, ours.out]).toEqual([name, false, 2, '']);
      expect(ours.err).toContain(why);
    }
    const gone = await both({ ...asked, revoked: '/nonexistent' });
    expect({ stock: gone.stock, ours: gone.ours.code }).toEqual({ stock: false, ours: 2 });
  });

  it('is for ssh signatures alone', async () => {
    const raw = put('raw', Buffer.alloc(64));
    const argv = ['verify', message, '--signature', raw, '--revoked', put('list', '')];
    const { code, out } = await agentctl(argv);
    expect({ code, out }).toEqual({
      code: 5,
      out: 'not valid: it is no ssh signature, and --revoked is for those alone\n',
    });
  });
});
