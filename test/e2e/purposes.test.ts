import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compactVerify, createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon, run, type Ended } from '../support/daemon.ts';
import { LineClient } from '../support/line-client.ts';
import { OtherUser } from '../support/other-user.ts';
import { Sshd } from '../support/sshd.ts';

// One agent, a keyring for each thing, and the stock programs: each is allowed with its purpose, and refused without.

/** What each keyring is for. */
const purposes = {
  login: ['ssh-login'],
  git: ['sshsig:git'],
  files: ['sshsig:file', 'minisign'],
  authority: ['ssh-cert'],
  tokens: ['jwt'],
  documents: ['jws'],
  bytes: ['raw'],
} as const;
type KeyringName = keyof typeof purposes;
const names = Object.keys(purposes) as KeyringName[];

const isRoot = process.getuid?.() === 0;
let daemon: Daemon;
let socket: string;
let folder: string;
let sshd: Sshd;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'purposes-'));
  daemon = new Daemon();
  socket = join(daemon.folder, 'ssh.sock');
  const keyrings = names.map(
    (name) => `[keyrings.${name}]\npurposes = ${JSON.stringify(purposes[name])}\n`,
  );
  const config = `[audit]
keyring = "log"
[ssh_agent]
keyrings = ${JSON.stringify([...names, 'every'])}
[keyrings.every]
[keyrings.log]
purposes = []
${keyrings.join('')}
[keyrings.tokens.jwt]
issuer = "https://agent.example"
audiences = ["api"]
longest_life = "15m"
`;
  await daemon.start('--config', daemon.config(config));
  for (const name of [...names, 'every']) {
    const { out } = await daemon.agentctl(['--json', '--keyring', name, 'keys', 'list']);
    const [key] = (JSON.parse(out) as { keys: { kid: string }[] }).keys;
    for (const format of ['ssh', 'minisign']) {
      const show = ['--keyring', name, 'keys', 'show', key?.kid ?? '', '--format', format];
      put(`${name}.${format === 'ssh' ? 'pub' : 'minisign'}`, (await daemon.agentctl(show)).out);
    }
  }
  put('file', 'a file\n');
  sshd = await new Sshd().start([...names, 'every'].map((name) => text(`${name}.pub`).trim()));
});
afterAll(async () => {
  await sshd.remove();
  await daemon.remove();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string): string => join(folder, name);
const text = (name: string): string => readFileSync(at(name), 'utf8');
function put(name: string, content: string): string {
  writeFileSync(at(name), content, { mode: 0o600 });
  chmodSync(at(name), 0o600);
  return at(name);
}
function withAgent(command: string, args: readonly string[]): Promise<Ended> {
  const home = { HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  return run(command, args, '', { SSH_AUTH_SOCK: socket, ...home });
}
const others = (...but: KeyringName[]): KeyringName[] =>
  names.filter((name) => !but.includes(name));

test('ssh-add shows the keys of keyrings that are for SSH, and no other ones', async () => {
  const { out } = await withAgent('ssh-add', ['-L']);
  const shown = out.trim().split('\n');
  expect(shown.map((line) => / (\w+)\/[0-9a-f]{8}$/.exec(line)?.[1])).toEqual([
    ...['login', 'git', 'files', 'authority', 'every'],
  ]);
});

test('ssh logs in with a key for logins', async () => {
  const login = (name: string): Promise<Ended> => {
    const only = ['-o', 'IdentitiesOnly=yes', '-i', at(`${name}.pub`)];
    return sshd.login(socket, only, 'echo logged in');
  };
  for (const name of ['login', 'every']) {
    expect(await login(name)).toMatchObject({ code: 0, out: 'logged in\n' });
  }
  for (const name of others('login')) {
    const { code, err } = await login(name);
    expect(code, name).toBe(255);
    expect(err).toContain('Permission denied');
  }
});

test('through a forwarded agent ssh logs in to where it binds the connection to', async () => {
  const key = ['-o', 'IdentitiesOnly=yes', '-i', at('login.pub')];
  const onwards =
    'exec ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null ' +
    `${key.join(' ')} -p "\${SSH_CONNECTION##* }" "$USER@127.0.0.1" echo further`;
  const login = await sshd.login(socket, ['-A', ...key], onwards);
  expect(login).toMatchObject({ code: 0, out: 'further\n' });
});

test('ssh-keygen -Y signs for its namespace', async () => {
  const sign = (name: string, namespace: string): Promise<Ended> =>
    run('rm', ['-f', at('file.sig')]).then(() =>
      withAgent('ssh-keygen', ['-Y', 'sign', '-n', namespace, '-f', at(`${name}.pub`), at('file')]),
    );
  expect((await sign('files', 'file')).code).toBe(0);
  put('allowed', `ada ${text('files.pub')}`);
  const words = ['-Y', 'verify', '-n', 'file', '-f', at('allowed'), '-I', 'ada'];
  const verified = await run('ssh-keygen', [...words, '-s', at('file.sig')], text('file'));
  expect(verified.out).toContain('Good "file" signature for ada');
  expect((await sign('git', 'git')).code).toBe(0);
  for (const [name, namespace] of [
    ['files', 'git'],
    ['git', 'file'],
    ['login', 'file'],
    ['authority', 'file'],
    ['bytes', 'file'],
  ] as const) {
    expect((await sign(name, namespace)).code, `${name} ${namespace}`).not.toBe(0);
  }
});

test('git signs commits with a key for git', async () => {
  const repository = at('repository');
  const git = (...args: string[]): Promise<Ended> =>
    withAgent('git', ['-C', repository, '-c', 'user.name=Ada', '-c', 'user.email=a@b', ...args]);
  await withAgent('git', ['init', '-q', repository]);
  await git('config', 'gpg.format', 'ssh');
  const commit = (name: string): Promise<Ended> =>
    git(
      ...['-c', `user.signingkey=${at(`${name}.pub`)}`],
      ...['commit', '-q', '-S', '--allow-empty', '-m', 'x'],
    );
  expect(await commit('git')).toMatchObject({ code: 0 });
  for (const name of ['files', 'login', 'bytes']) expect((await commit(name)).code).not.toBe(0);
});

test('ssh-keygen -s certifies with a key of an authority', async () => {
  const user = at('user');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', user]);
  const certify = (name: string): Promise<Ended> =>
    withAgent('ssh-keygen', [
      '-q',
      '-Us',
      at(`${name}.pub`),
      '-I',
      'me',
      '-n',
      'ada',
      `${user}.pub`,
    ]);
  expect(await certify('authority')).toMatchObject({ code: 0 });
  const { out } = await run('ssh-keygen', ['-L', '-f', `${user}-cert.pub`]);
  expect(out).toContain('user certificate');
  for (const name of others('authority')) expect((await certify(name)).code, name).not.toBe(0);
});

function sign(name: string, ...words: string[]): Promise<Ended> {
  return daemon.agentctl(['--keyring', name, 'sign', at('file'), ...words]);
}

test('agentctl sign --format sshsig and minisign, by what the keyring is for', async () => {
  expect((await sign('files', '--format', 'minisign', '--out', at('file.minisig'))).code).toBe(0);
  const words = ['-V', '-p', at('files.minisign'), '-m', at('file'), '-x', at('file.minisig')];
  expect((await run('minisign', words)).code).toBe(0);
  const signature = await sign('files', '--format', 'sshsig');
  put('file.sig', signature.out);
  put('allowed', `ada ${text('files.pub')}`);
  const verify = ['-Y', 'verify', '-n', 'file', '-f', at('allowed'), '-I', 'ada', '-s'];
  expect((await run('ssh-keygen', [...verify, at('file.sig')], text('file'))).code).toBe(0);
  expect((await sign('git', '--format', 'sshsig', '--namespace', 'git')).code).toBe(0);
  for (const [format, purpose] of [
    ['minisign', 'minisign'],
    ['sshsig', 'sshsig:file'],
  ] as const) {
    for (const name of others('files')) {
      const refused = await sign(name, '--format', format);
      expect(refused).toMatchObject({ code: 4, out: '' });
      expect(refused.err).toContain(`it needs purpose ${purpose}; on keyring ${name}`);
    }
  }
});

test('tokens and documents: jose takes each for what it is, and none for the other', async () => {
  const set = async (name: string) => {
    const { out } = await daemon.agentctl(['--keyring', name, 'jwks']);
    return createLocalJWKSet(JSON.parse(out) as JSONWebKeySet);
  };
  const jwt = (name: string, ...words: string[]): Promise<Ended> =>
    daemon.agentctl(['--keyring', name, 'jwt', 'sign', '--ttl', '5m', '--subject', 'x', ...words]);
  const { payload } = await jwtVerify((await jwt('tokens')).out.trim(), await set('tokens'), {
    ...{ issuer: 'https://agent.example', audience: 'api', subject: 'x' },
  });
  expect(payload.sub).toBe('x');
  for (const [flags, why] of [
    [['--audience', 'other'], /audience: must be of those that the configuration has: "api"/],
    [['--ttl', '16m'], /ttl_seconds: must be at most 900 \(15m\), the longest_life/],
  ] as const) {
    const refused = await jwt('tokens', ...flags);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toMatch(why);
  }
  for (const name of others('tokens')) expect(await jwt(name)).toMatchObject({ code: 4, out: '' });
  const document = await sign('documents', '--format', 'jws');
  const verified = await compactVerify(document.out.trim(), await set('documents'));
  expect(Buffer.from(verified.payload).toString()).toBe('a file\n');
  for (const name of others('documents')) {
    expect(await sign(name, '--format', 'jws')).toMatchObject({ code: 4, out: '' });
  }
  // Claims as a document would be a token to jose, whoever asks for it.
  put('claims', '{"sub":"admin"}');
  for (const name of ['documents', 'tokens']) {
    const words = ['--keyring', name, 'sign', at('claims'), '--format', 'jws'];
    expect(await daemon.agentctl(words)).toMatchObject({ code: 4, out: '' });
  }
  const all = await daemon.agentctl([
    '--keyring',
    'every',
    'sign',
    at('claims'),
    '--format',
    'jws',
  ]);
  expect((await jwtVerify(all.out.trim(), await set('every'))).payload.sub).toBe('admin');
});

describe('bytes as they are', () => {
  test('are signed by a keyring for them, and by no other one', async () => {
    expect((await sign('bytes')).code).toBe(0);
    for (const name of others('bytes')) {
      const refused = await sign(name);
      expect(refused).toMatchObject({ code: 4, out: '' });
      expect(refused.err).toContain('it needs purpose raw');
    }
    const files = await sign('files');
    expect(files.err).toContain('by sign_sshsig (agentctl sign --format sshsig); sign_minisign');
  });

  test('are no way to a token or to a minisign signature', async () => {
    const part = (json: object): string => Buffer.from(JSON.stringify(json)).toString('base64url');
    put('forged', `${part({ alg: 'EdDSA' })}.${part({ sub: 'admin' })}`);
    const words = ['--keyring', 'bytes', 'sign', at('forged')];
    const token = await daemon.agentctl(words);
    expect(token).toMatchObject({ code: 4, out: '' });
    expect(token.err).toContain('a JSON Web Token, which needs purpose jwt too');
    put('digest', 'é'.repeat(32)); // 64 bytes, and no ASCII text
    const digest = await daemon.agentctl(['--keyring', 'bytes', 'sign', at('digest')]);
    expect(digest).toMatchObject({ code: 4, out: '' });
  });
});

test('an API key has a part of what its keyrings have', async () => {
  const make = (id: string, ...words: string[]): Promise<Ended> =>
    daemon.agentctl([...words, 'apikey', 'create', id, '--scope', 'app', '--out', at(`${id}.key`)]);
  const never = await daemon.agentctl([
    ...['--keyring', 'files', 'apikey', 'create', 'never', '--scope', 'app'],
    ...['--purpose', 'jwt'],
  ]);
  expect(never).toMatchObject({ code: 1, out: '' });
  expect(never.err).toContain(
    'no keyring of the key has purpose jwt: files has sshsig:file, minisign',
  );
  const made = await make('mini', '--keyring', 'files');
  expect(made.code).toBe(0);
  const narrowed = await daemon.agentctl(['apikey', 'update', 'mini', '--purpose', 'minisign']);
  expect(narrowed.out).toMatch(/^purposes +minisign$/m);
  const list = await daemon.agentctl(['apikey', 'list']);
  expect(list.out).toContain('keyring files; purpose minisign');
  const key = ['--api-key-file', at('mini.key'), '--keyring', 'files', 'sign', at('file')];
  expect((await daemon.agentctl([...key, '--format', 'minisign'])).code).toBe(0);
  const refused = await daemon.agentctl([...key, '--format', 'sshsig']);
  expect(refused).toMatchObject({ code: 4, out: '' });
  expect(refused.err).toContain('API key mini has purposes: minisign');
  await daemon.agentctl(['apikey', 'update', 'mini', '--any-purpose']);
  expect((await daemon.agentctl([...key, '--format', 'sshsig'])).code).toBe(0);
});

test('an admin key with purposes makes no key with more of them', async () => {
  const create = ['apikey', 'create', 'boss', '--scope', 'admin', '--purpose', 'minisign'];
  expect((await daemon.agentctl([...create, '--out', at('boss.key')])).code).toBe(0);
  const boss = (...words: string[]): Promise<Ended> =>
    daemon.agentctl(['--api-key-file', at('boss.key'), 'apikey', ...words]);
  for (const words of [
    ['create', 'more', '--scope', 'app'],
    ['create', 'more', '--scope', 'app', '--purpose', 'minisign', '--purpose', 'jwt'],
    ['update', 'boss', '--any-purpose'],
    ['update', 'mini', '--scope', 'admin'], // which has all by now
  ]) {
    const refused = await boss(...words);
    expect(refused, words.join(' ')).toMatchObject({ code: 4, out: '' });
    expect(refused.err).toContain('API key boss has minisign: name a part of these (--purpose)');
  }
  expect((await boss('create', 'less', '--scope', 'app', '--purpose', 'minisign')).code).toBe(0);
  expect((await boss('update', 'mini', '--purpose', 'minisign')).code).toBe(0);
});

test('status and doctor say what keyrings are for, and which one is for everything', async () => {
  const { out } = await daemon.agentctl(['status']);
  expect(out).toMatch(/^ {2}purposes +sshsig:file, minisign$/m);
  expect(out).toMatch(/^ {2}purposes +none: for nobody$/m);
  expect(out).toMatch(/^ {2}purposes +all$/m);
  expect(out).toContain("keyring every is the SSH agent's, and has no purposes");
  expect(out).not.toContain('keyring log is');
  const config = join(daemon.folder, 'agent.toml');
  const doctor = await daemon.agentctl([
    'doctor',
    '--config',
    config,
    '--state-dir',
    daemon.stateDir,
  ]);
  expect(doctor.out).toMatch(/^warning +purposes +keyring every is the SSH agent's/m);
});

test('the audit log is signed by a keyring that is for nobody', async () => {
  const signed = await daemon.agentctl(['--keyring', 'log', 'sign', at('file')]);
  expect(signed).toMatchObject({ code: 4, out: '' });
  expect(signed.err).toContain('has purposes: none');
  await daemon.stop();
  const verified = await daemon.agentctl(['audit', 'verify', '--state-dir', daemon.stateDir]);
  expect(verified.code).toBe(0);
});

describe.runIf(isRoot)('rules, for another user', () => {
  let user: OtherUser;
  let other: Daemon;
  beforeAll(async () => {
    user = new OtherUser(`ruled${process.pid}`);
    other = new Daemon();
    chmodSync(other.folder, 0o711);
    const rule = (who: string, more: string): string =>
      `[[access.rules]]\nwho = ["${who}"]\nscope = "app"\n${more}\n`;
    await other.start(
      '--config',
      other.config(
        '[socket]\nmode = "0666"\n' +
          rule(user.name, 'keyrings = ["ci"]\npurposes = ["minisign"]') +
          rule(`@${user.group}`, 'keyrings = ["web", "other"]\npurposes = ["jwt", "raw"]') +
          rule('nobody-of-that-name', '') +
          '[keyrings.default]\n[keyrings.ci]\n[keyrings.web]\npurposes = ["jwt"]\n[keyrings.other]\n',
      ),
    );
  });
  afterAll(async () => {
    await other.remove();
    user.remove();
  });

  test('give what they say, on their keyrings, and nothing else', async () => {
    const by = (...words: string[]): Promise<Ended> => user.agentctl(other.socket, words, 'x');
    expect((await by('--keyring', 'ci', 'sign', '--format', 'minisign')).code).toBe(0);
    expect((await by('--keyring', 'web', 'jwt', 'sign', '--ttl', '1m')).code).toBe(0);
    expect((await by('--keyring', 'other', 'sign')).code).toBe(0);
    for (const [words, why] of [
      [['--keyring', 'ci', 'sign'], /needs purpose raw; on keyring ci .* has purposes: minisign/],
      [['--keyring', 'ci', 'jwt', 'sign', '--ttl', '1m'], /needs purpose jwt/],
      // The rule says raw, and the keyring does not.
      [['--keyring', 'web', 'sign'], /needs purpose raw; on keyring web .* has purposes: jwt/],
      [['sign'], /is not for that keyring/],
      [['--keyring', 'ci', 'keys', 'rotate'], /needs scope admin/],
      [['trust', 'list'], /about the whole agent/],
    ] as const) {
      const refused = await by(...words);
      expect(refused, words.join(' ')).toMatchObject({ code: 4, out: '' });
      expect(refused.err).toMatch(why);
    }
    const status = JSON.parse((await by('--json', 'status')).out) as {
      keyrings: { name: string }[];
      access: unknown;
    };
    expect(status.keyrings.map(({ name }) => name)).toEqual(['ci', 'web', 'other']);
    expect(status.access).toBeNull();
  });

  test('with a name that there is not allow nobody, and are said', async () => {
    const root = await LineClient.open(other.socket);
    const { result } = await root.call('status');
    root.close();
    expect(result?.['access']).toMatchObject({
      warnings: [
        'access.rules.2.who: there is no user "nobody-of-that-name" here, so it allows nobody',
      ],
    });
  });
});
