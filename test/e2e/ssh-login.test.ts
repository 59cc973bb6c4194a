import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../src/audit/chain/record.ts';
import { fingerprint } from '../../src/formats/ssh/public-key.ts';
import { auditRecords } from '../support/audit-chain.ts';
import { Daemon, run } from '../support/daemon.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { Sshd } from '../support/sshd.ts';

// Logins to a stock sshd, with keys that are in a token.

let token: SoftHsmToken;
let daemon: Daemon;
let socket: string;
let sshd: Sshd;
/** Lines of `ssh-add -L`: an Ed25519 key, an ECDSA key. */
let lines: string[];
beforeAll(async () => {
  token = await makeToken('prod');
  daemon = new Daemon(token.environment);
  socket = join(daemon.folder, 'ssh.sock');
  const keyring = (name: string, algorithm: string): string =>
    `[keyrings.${name}]\nbackend = "pkcs11"\nuri = "${token.uri}"\nalgorithm = "${algorithm}"\n`;
  const config =
    '[audit]\n[ssh_agent]\nkeyrings = ["default", "web"]\n' +
    keyring('default', 'ed25519') +
    keyring('web', 'es256');
  await daemon.start('--config', daemon.config(config));
  const { out } = await run('ssh-add', ['-L'], '', { SSH_AUTH_SOCK: socket });
  lines = out.trim().split('\n');
  sshd = await new Sshd().start(lines);
});
afterAll(async () => {
  await sshd.remove();
  await daemon.remove();
  await token.remove();
});

/** Records of what the SSH agent has signed, from the `from`th on. */
function signatures(from: number): readonly AuditRecord[] {
  const records = auditRecords(join(daemon.stateDir, 'audit'));
  return records.filter(({ method }) => method === 'ssh_sign').slice(from);
}

describe.each([
  ['ssh-ed25519', 'default'],
  ['ecdsa-sha2-nistp256', 'web'],
] as const)('a key of type %s', (type, keyring) => {
  const only = ['-o', `PubkeyAcceptedAlgorithms=${type}`];

  test('logs in; the record names key and host', async () => {
    expect(lines.filter((line) => line.startsWith(`${type} `))).toHaveLength(1);
    const before = signatures(0).length;
    const login = await sshd.login(socket, only, 'echo logged in');
    expect(login).toMatchObject({ code: 0, out: 'logged in\n' });
    expect(signatures(before)).toMatchObject([
      { keyring, outcome: 'done', subject: `host ${fingerprint(sshd.hostKey)}` },
    ]);
  });
});

test('a host that shows a certificate is bound, and the record names its key', async () => {
  const certified = await new Sshd({ certified: true }).start(lines);
  try {
    const before = signatures(0).length;
    const only = ['-v', '-o', 'PubkeyAcceptedAlgorithms=ssh-ed25519'];
    const login = await certified.login(socket, only, 'echo logged in');
    expect(login).toMatchObject({ code: 0, out: 'logged in\n' });
    expect(login.err).toContain('ssh-ed25519-cert-v01@openssh.com');
    expect(signatures(before)).toMatchObject([
      { outcome: 'done', subject: `host ${fingerprint(certified.hostKey)}` },
    ]);
  } finally {
    await certified.remove();
  }
});

test('a signature that a forwarded agent makes is recorded with the host that asked for it', async () => {
  const before = signatures(0).length;
  const command =
    'set -e; d=$(mktemp -d); trap \'rm -r "$d"\' EXIT; ssh-add -L >"$d/all"; head -n 1 "$d/all" >"$d/key.pub"; ' +
    'ssh-add -T "$d/key.pub"; echo tried';
  const login = await sshd.login(socket, ['-A'], command);
  expect(login).toMatchObject({ code: 0, out: 'tried\n' });
  const made = signatures(before);
  const host = fingerprint(sshd.hostKey);
  expect(made.map(({ subject }) => subject)).toEqual([`host ${host}`, `host ${host} (forwarded)`]);
});

test('a key that was rotated away logs in no more once its grace is over; the new one does', async () => {
  const { out } = await daemon.agentctl(['--json', 'keys', 'rotate', '--grace', '0s']);
  expect(JSON.parse(out)).toHaveProperty('new_active_kid');
  const only = ['-o', 'PubkeyAcceptedAlgorithms=ssh-ed25519'];
  const refused = await sshd.login(socket, only, 'true');
  expect(refused.code).toBe(255);
  expect(refused.err).toContain('Permission denied');
  const now = await run('ssh-add', ['-L'], '', { SSH_AUTH_SOCK: socket });
  sshd.authorize(now.out.trim().split('\n'));
  expect((await sshd.login(socket, only, 'true')).code).toBe(0);
});
