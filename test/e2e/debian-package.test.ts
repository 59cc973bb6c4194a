import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { Daemon } from '../support/daemon.ts';
import { makeToken } from '../support/softhsm.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'debian-'));
const installed = (path: string): string => join(folder, 'root', path);
let file: string;

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

beforeAll(() => {
  file = run(join(root, 'scripts', 'make-deb'), folder).trim();
  run('dpkg-deb', '-x', file, installed(''));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('the Debian package', () => {
  it('is one that lintian finds no error in', () => {
    const { status, stdout } = spawnSync('lintian', ['--allow-root', '--fail-on', 'error', file], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('says which Node.js it needs, and keeps the configuration that an operator has changed', () => {
    expect(run('dpkg-deb', '-f', file, 'Depends')).toContain('nodejs (>= 20.19)');
    expect(run('dpkg-deb', '-I', file, 'conffiles')).toBe('/etc/signing-agent/agent.toml\n');
  });

  it('has what a shell and man look for', () => {
    for (const path of [
      'usr/share/man/man1/agentctl.1.gz',
      'usr/share/man/man8/signing-agent.8.gz',
      'usr/share/man/man5/signing-agent.toml.5.gz',
      'usr/share/bash-completion/completions/agentctl',
      'usr/share/zsh/vendor-completions/_agentctl',
      'usr/share/fish/vendor_completions.d/agentctl.fish',
      'usr/lib/sysusers.d/signing-agent.conf',
    ]) {
      expect(statSync(installed(path)).size, path).toBeGreaterThan(0);
    }
  });

  it('signs from where it was unpacked, with a file and with a token', async () => {
    const token = await makeToken();
    const daemon = new Daemon(token.environment, { installed: installed('usr/bin/signing-agent') });
    try {
      const tables = `[keyrings.default]\nbackend = "file"\n[keyrings.token]\nbackend = "pkcs11"\nuri = "${token.uri}"\n`;
      await daemon.start('--config', daemon.config(tables));
      const client = await connect({ socket: daemon.socket });
      for (const keyring of ['default', 'token']) {
        const { signature } = await client.sign(Buffer.from('hello'), { keyring });
        expect(signature.length, keyring).toBe(64);
      }
      await client.close();
      const ping = [installed('usr/bin/agentctl'), '--socket', daemon.socket, 'ping'];
      expect(run(process.execPath, ...ping)).toContain('the agent answers');
    } finally {
      await daemon.remove();
      await token.remove();
    }
  });

  it('starts with the configuration that it brings, where a service manager has made the directories', async () => {
    const daemon = new Daemon({}, { installed: installed('usr/bin/signing-agent') });
    try {
      const given = readFileSync(installed('etc/signing-agent/agent.toml'), 'utf8');
      await daemon.start('--config', daemon.config(given));
      expect(existsSync(daemon.socket)).toBe(true);
    } finally {
      await daemon.remove();
    }
  });
});

describe('the unit', () => {
  const unit = (): string =>
    readFileSync(installed('usr/lib/systemd/system/signing-agent.service'), 'utf8');

  it('is one that systemd takes', () => {
    // Where it finds the program, and without the manual pages, which are not installed here.
    const text = unit()
      .replace('/usr/bin/signing-agent', installed('usr/bin/signing-agent'))
      .replace(/^Documentation=.*\n/m, '');
    const path = join(folder, 'signing-agent.service');
    writeFileSync(path, text);
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('is exposed at most as much as systemd calls OK', () => {
    const path = installed('usr/lib/systemd/system/signing-agent.service');
    const { status, stdout } = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--threshold=20', '--no-pager', path],
      { encoding: 'utf8' },
    );
    expect(stdout).toMatch(/exposure level for signing-agent\.service: [01]\.\d OK|: 2\.0 OK/);
    expect(status).toBe(0);
  });
});
