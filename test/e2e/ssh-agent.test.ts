import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../src/audit/chain/record.ts';
import { auditRecords } from '../support/audit-chain.ts';
import { Daemon, run, type Ended } from '../support/daemon.ts';
import { OtherUser } from '../support/other-user.ts';

// The stock clients of an SSH agent: ssh-add, ssh-keygen, git.

let daemon: Daemon;
let socket: string;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ssh-clients-'));
  daemon = new Daemon();
  socket = join(daemon.folder, 'ssh.sock');
  const config =
    '[audit]\n[ssh_agent]\nkeyrings = ["default", "ci"]\n[keyrings.default]\n[keyrings.ci]\n';
  await daemon.start('--config', daemon.config(config), '--log-level', 'debug');
});
afterEach(async () => {
  await daemon.remove();
  rmSync(folder, { recursive: true, force: true });
});

function put(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function withAgent(
  command: string,
  args: readonly string[],
  { stdin = '', ...environment }: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return run(command, args, stdin, { SSH_AUTH_SOCK: socket, ...environment });
}

async function kidOf(keyring: string): Promise<string> {
  const { out } = await daemon.agentctl(['--json', '--keyring', keyring, 'keys', 'list']);
  const { keys } = JSON.parse(out) as { keys: { kid: string; state: string }[] };
  return keys.find(({ state }) => state === 'active')?.kid ?? '';
}

/** A file with the public key that `ssh-add -L` shows at that place. */
async function publicKeyFile(at = 0): Promise<string> {
  const { out } = await withAgent('ssh-add', ['-L']);
  return put(`key-${at}.pub`, `${out.split('\n')[at] ?? ''}\n`, 0o644);
}

function records(): readonly AuditRecord[] {
  return auditRecords(join(daemon.stateDir, 'audit'));
}

test('ssh-add -l and -L show the keys, -T tries them', async () => {
  const [first, second] = [await kidOf('default'), await kidOf('ci')];
  const listed = await withAgent('ssh-add', ['-l']);
  expect(listed.out.split('\n')).toEqual([
    expect.stringMatching(new RegExp(`^256 SHA256:.* default/${first} \\(ED25519\\)$`)),
    expect.stringMatching(new RegExp(`^256 SHA256:.* ci/${second} \\(ED25519\\)$`)),
    '',
  ]);
  const { out } = await withAgent('ssh-add', ['-L']);
  expect(out).toMatch(
    new RegExp(`^ssh-ed25519 [A-Za-z0-9+/=]+ default/${first}\nssh-ed25519 .* ci/${second}\n$`),
  );
  expect((await withAgent('ssh-add', ['-T', await publicKeyFile(1)])).code).toBe(0);
});

test('a rotation shows at the next look, the old key behind the new one', async () => {
  const before = await kidOf('default');
  await daemon.agentctl(['keys', 'rotate', '--grace', '1h']);
  const after = await kidOf('default');
  const { out } = await withAgent('ssh-add', ['-l']);
  const names = [...out.matchAll(/(default|ci)\/([0-9a-f]{8})/g)].map(([name]) => name);
  expect(names).toEqual([`default/${after}`, `default/${before}`, `ci/${await kidOf('ci')}`]);
});

test('ssh-add refuses properly: keys are not added and not removed', async () => {
  const key = join(folder, 'own');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const added = await withAgent('ssh-add', [key]);
  expect(added.code).not.toBe(0);
  expect(added.err).toContain('agent refused operation');
  for (const flags of [['-D'], ['-d', await publicKeyFile()], ['-t', '60', key], ['-c', key]]) {
    expect((await withAgent('ssh-add', flags)).code).not.toBe(0);
  }
  expect((await withAgent('ssh-add', ['-l'])).out.trim().split('\n')).toHaveLength(2);
});

test('ssh-add -x and -X lock and unlock', async () => {
  const answering = (name: string, passphrase: string) => ({
    SSH_ASKPASS: put(name, `#!/bin/sh\necho '${passphrase}'\n`, 0o700),
    SSH_ASKPASS_REQUIRE: 'force',
  });
  const right = answering('right', 'correct horse');
  const locked = await withAgent('ssh-add', ['-x'], right);
  expect(locked.err).toContain('Agent locked');
  const listed = await withAgent('ssh-add', ['-l']);
  expect(listed).toMatchObject({ code: 1, out: 'The agent has no identities.\n' });
  expect((await withAgent('ssh-add', ['-X'], answering('wrong', 'battery'))).code).not.toBe(0);
  expect((await withAgent('ssh-add', ['-l'])).code).toBe(1);
  const unlocked = await withAgent('ssh-add', ['-X'], right);
  expect(unlocked.err).toContain('Agent unlocked');
  expect((await withAgent('ssh-add', ['-l'])).code).toBe(0);
  const said = records().filter(({ method }) => /lock/.test(method ?? ''));
  expect(said.map(({ method, outcome, kind }) => [method, outcome, kind])).toEqual([
    ['ssh_lock', 'begun', null],
    ['ssh_lock', 'done', null],
    ['ssh_unlock', 'begun', null],
    ['ssh_unlock', 'refused', 'unauthenticated'],
    ['ssh_unlock', 'begun', null],
    ['ssh_unlock', 'done', null],
  ]);
  expect(JSON.stringify(records())).not.toContain('horse');
  expect(JSON.stringify(daemon.log)).not.toContain('horse');
});

test('ssh-keygen -Y signs with a key of the agent, -Y verify accepts it, and it is recorded', async () => {
  const message = 'a release\n';
  const key = await publicKeyFile();
  const file = put('release', message);
  const signed = await withAgent('ssh-keygen', ['-Y', 'sign', '-n', 'file', '-f', key, file]);
  expect(signed).toMatchObject({ code: 0 });
  const allowed = put('allowed', `ada@example.com ${readFileSync(key, 'utf8')}`);
  const verify = (text: string) =>
    run(
      'ssh-keygen',
      [
        ...['-Y', 'verify', '-n', 'file', '-f', allowed],
        ...['-I', 'ada@example.com', '-s', `${file}.sig`],
      ],
      text,
    );
  expect(await verify(message)).toMatchObject({
    code: 0,
    out: expect.stringContaining('Good "file" signature for ada@example.com') as string,
  });
  expect((await verify('another\n')).code).not.toBe(0);

  const digest = createHash('sha512').update(message).digest();
  const parts = ['file', '', 'sha512', digest].map((part) => {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  const toBeSigned = Buffer.concat([Buffer.from('SSHSIG'), ...parts]);
  expect(records().filter(({ method }) => method === 'ssh_sign')).toMatchObject([
    {
      ...{
        keyring: 'default',
        kid: await kidOf('default'),
        outcome: 'done',
        uid: process.getuid?.(),
      },
      message_sha256: [createHash('sha256').update(toBeSigned).digest('hex')],
      ...{ subject: null, exe_best_effort: expect.stringContaining('ssh-keygen') as string },
    },
  ]);
});

test('git signs a commit and a tag, and verifies both', async () => {
  const repository = join(folder, 'repository');
  const key = await publicKeyFile();
  const allowed = put('allowed', `ada@example.com ${readFileSync(key, 'utf8')}`);
  const home = { HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  const git = (...args: string[]): Promise<Ended> =>
    withAgent('git', ['-C', repository, ...args], home);
  await withAgent('git', ['init', '-q', repository], home);
  for (const [name, value] of [
    ['user.name', 'Ada'],
    ['user.email', 'ada@example.com'],
    ['gpg.format', 'ssh'],
    ['user.signingkey', key],
    ['gpg.ssh.allowedSignersFile', allowed],
  ] as const) {
    await git('config', name, value);
  }
  expect(await git('commit', '-q', '-S', '--allow-empty', '-m', 'signed')).toMatchObject({
    code: 0,
  });
  expect(await git('tag', '-s', '-m', 'signed', 'v1')).toMatchObject({ code: 0 });
  const good = expect.stringContaining('Good "git" signature for ada@example.com') as string;
  expect(await git('verify-commit', 'HEAD')).toMatchObject({ code: 0, err: good });
  expect(await git('verify-tag', 'v1')).toMatchObject({ code: 0 });
  // Another's signature is none.
  await git('config', 'gpg.ssh.allowedSignersFile', put('nobody', ''));
  expect((await git('verify-commit', 'HEAD')).code).not.toBe(0);
});

test('status and doctor say where it listens', async () => {
  const status = await daemon.agentctl(['status']);
  expect(status.out).toContain(`SSH agent    ${socket}, 0 open, 0 since the start`);
  const config = join(daemon.folder, 'agent.toml');
  const doctor = () =>
    daemon.agentctl(['doctor', '--config', config, '--state-dir', daemon.stateDir]);
  expect((await doctor()).out).toMatch(/ok +ssh_agent +someone listens on .*ssh\.sock, mode 0600/);
  rmSync(socket);
  expect((await doctor()).out).toMatch(/ssh_agent .*ssh\.sock is not there/);
});

/** Another user can be had only by root, which is who CI is. */
describe.runIf(process.getuid?.() === 0)('another user', () => {
  let user: OtherUser;
  beforeAll(() => {
    user = new OtherUser(`sshuser${process.pid}`);
  });
  afterAll(() => {
    user.remove();
  });

  const as = (command: string, args: readonly string[]): Promise<Ended> => {
    const [launcher = '', ...words] = user.launcher;
    return withAgent(launcher, [...words, command, ...args]);
  };
  const configuration = (apps: string): string =>
    `[audit]\n[socket]\nmode = "0666"\n[ssh_agent]\nmode = "0666"\n[access]\napps = [${apps}]\n`;

  beforeEach(async () => {
    await daemon.stop();
    chmodSync(daemon.folder, 0o711);
    await daemon.start('--config', daemon.config(configuration('')), '--log-level', 'debug');
  });

  async function give(apps: string): Promise<void> {
    daemon.config(configuration(apps));
    const from = daemon.log.length;
    process.kill(daemon.pid, 'SIGHUP');
    await daemon.logged(({ msg }) => msg === 'reloaded', from);
  }

  test('without a scope sees nothing and signs nothing; the reason is in log and audit', async () => {
    const refused = await as('ssh-add', ['-l']);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('agent refused operation');
    const reason = expect.stringMatching(/^ssh_list needs scope app; .* has scope none$/) as string;
    await daemon.logged((line) => line['method'] === 'ssh_list' && line['kind'] === 'forbidden');
    expect(records().find(({ method }) => method === 'ssh_list')).toMatchObject({
      ...{ uid: user.uid, user: user.name, outcome: 'refused', kind: 'forbidden', reason },
    });
  });

  test('with one signs', async () => {
    await give(`"${user.name}"`);
    const listed = await as('ssh-add', ['-L']);
    expect(listed.out).toContain(`default/${await kidOf('default')}`);
    const key = join(daemon.folder, 'key.pub');
    writeFileSync(key, listed.out);
    chmodSync(key, 0o644);
    expect((await as('ssh-add', ['-T', key])).code).toBe(0);
  });

  test('who locks the agent locks out himself', async () => {
    await give(`"${user.name}"`);
    const askpass = join(daemon.folder, 'askpass');
    writeFileSync(askpass, '#!/bin/sh\necho secret\n');
    chmodSync(askpass, 0o755);
    const words = ['env', `SSH_ASKPASS=${askpass}`, 'SSH_ASKPASS_REQUIRE=force', 'ssh-add', '-x'];
    expect((await as('env', words.slice(1))).code).toBe(0);
    expect((await as('ssh-add', ['-l'])).code).toBe(1);
    expect((await withAgent('ssh-add', ['-l'])).code).toBe(0);
  });
});
