import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { agentctl, type Session, type Surroundings } from '../support/cli-session.ts';
import { Daemon } from '../support/daemon.ts';

let daemon: Daemon;
let config: string;
let keyFile: string;
beforeEach(() => {
  daemon = new Daemon();
  config = join(daemon.folder, 'etc', 'agent.toml');
  keyFile = join(daemon.stateDir, 'admin-key.txt');
});
afterEach(() => daemon.remove());

/** `agentctl init` in this process; no agent answers at the socket unless one was started. */
function init(flags: readonly string[], surroundings: Surroundings = {}): Promise<Session> {
  return agentctl(['--socket', daemon.socket, 'init', ...flags], surroundings);
}
const all = (): string[] => ['--config', config, '--state-dir', daemon.stateDir, '--yes'];

/** Every file of a directory tree with its content. */
function contents(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path, readFileSync(path, 'base64')];
    }),
  );
}

describe('agentctl init', () => {
  it('sets up what the agent starts with, and an admin key that works', async () => {
    const { code, out, err } = await init(all());
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`its secret is in ${keyFile}`);
    const [, kid] = /^keyring default +first key ([0-9a-f]{8})$/m.exec(out) ?? [];
    expect(statSync(daemon.stateDir).mode & 0o777).toBe(0o700);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(keyFile, 'utf8')).toMatch(/^sa_admin_[0-9a-f]{64}\n$/);
    expect(out).not.toMatch(/sa_admin_/);
    await daemon.start('--config', config);
    const listed = await daemon.agentctl(['--api-key-file', keyFile, '--json', 'keys', 'list']);
    expect(JSON.parse(listed.out)).toMatchObject({ keys: [{ kid, state: 'active' }] });
  });

  it('changes nothing when it is run again, and says so', async () => {
    await init(all());
    const before = contents(daemon.folder);
    const again = await init(all());
    expect(again.code).toBe(0);
    expect(again.out).toMatch(/nothing was changed/);
    expect(contents(daemon.folder)).toEqual(before);
    const json = await agentctl(['--socket', daemon.socket, '--json', 'init', ...all()]);
    expect(JSON.parse(json.out)).toEqual({
      changed: false,
      config: { path: config, made: false },
      state_dir: { path: daemon.stateDir, made: false },
      keyrings: [{ name: 'default', made: null, by_agent: false }],
      admin_key: { made: false, file: null },
    });
    expect(contents(daemon.folder)).toEqual(before);
  });

  it('changes nothing of a configuration that is there, and makes what it names', async () => {
    const text = `state_dir = "${daemon.stateDir}"\n[keyrings.ci]\n[keyrings.nightly]\n`;
    const path = daemon.config(text);
    const { out } = await init(['--config', path, '--yes', '--backend', 'file']);
    expect(out).toMatch(/^keyring ci +first key /m);
    expect(out).toMatch(/^keyring nightly +first key /m);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('writes the configuration of a token, whose first key is for the agent to make', async () => {
    const uri = 'pkcs11:token=prod?module-path=/usr/lib/softhsm/libsofthsm2.so';
    const { code, out } = await agentctl([
      '--socket',
      daemon.socket,
      '--keyring',
      'prod',
      'init',
      ...all(),
      '--uri',
      uri,
    ]);
    expect(code).toBe(0);
    expect(out).toMatch(/^keyring prod +its token: the agent makes the first key$/m);
    expect(parseConfig(readFileSync(config, 'utf8'), config)).toMatchObject({
      state_dir: daemon.stateDir,
      audit: { enabled: true, fsync: true },
      keyrings: { prod: { backend: 'pkcs11', uri } },
    });
  });

  it('has the admin key made by an agent that runs', async () => {
    await daemon.start();
    const flags = ['--state-dir', daemon.stateDir, '--yes'];
    expect(await init(flags)).toMatchObject({ code: 0, err: '' });
    const listed = await daemon.agentctl(['--api-key-file', keyFile, 'apikey', 'list']);
    expect(listed.out).toMatch(/^admin +admin +valid /m);
    expect((await init(flags)).out).toMatch(/nothing was changed/);
    const away = await agentctl(['--socket', `${daemon.socket}.none`, 'init', ...flags]);
    expect(away).toMatchObject({ code: 1, out: '' });
    expect(away.err).toContain(`process ${daemon.pid} runs an agent on ${daemon.stateDir}`);
  });

  it('makes a new admin key where the old one was revoked, and replaces its file', async () => {
    await init(all());
    const before = readFileSync(keyFile, 'utf8');
    const at = ['--config', config, '--yes'];
    await agentctl(['--socket', daemon.socket, 'apikey', 'revoke', 'admin', ...at]);
    expect((await init(all())).out).toContain(keyFile);
    expect(readFileSync(keyFile, 'utf8')).not.toBe(before);
  });

  it('leaves an API key "admin" alone whose secret it does not know', async () => {
    await init(all());
    rmSync(keyFile);
    expect((await init(all())).out).toMatch(/nothing was changed/);
    expect(() => statSync(keyFile)).toThrow('ENOENT');
  });

  it('asks at a terminal what no flag answered', async () => {
    const typed = `${config}\n${daemon.stateDir}\nfile\n`;
    const { code, err } = await init([], { typed });
    expect(code).toBe(0);
    expect(err).toMatch(
      /^Configuration file, empty for none: State dir \[.+\]: Keys in a file .*\[file\]: $/,
    );
    expect(parseConfig(readFileSync(config, 'utf8'), config).keyrings['default']?.backend).toBe(
      'file',
    );
    const some = await init(
      ['--config', join(daemon.folder, 'b.toml'), '--state-dir', daemon.stateDir],
      { typed: '\n' },
    );
    expect(some.err).toMatch(/^Keys in a file .*\[file\]: $/);
    expect(some.code).toBe(0);
  });

  it('takes ~ in an answer for the home directory, where no shell replaces it', async () => {
    const env = { HOME: daemon.folder };
    const { code } = await init([], { typed: '~/a.toml\n~/state\nfile\n', env });
    expect(code).toBe(0);
    const made = parseConfig(readFileSync(join(daemon.folder, 'a.toml'), 'utf8'), 'a.toml');
    expect(made.state_dir).toBe(join(daemon.folder, 'state'));
    const other = await init([], { typed: '~root/a.toml\n', env });
    expect(other).toMatchObject({ code: 2, out: '' });
    expect(other.err).toContain('only your own ~/ is known here');
    const flag = await init(['--state-dir', '~/x', '--yes']);
    expect(flag).toMatchObject({ code: 2, out: '' });
    expect(flag.err).toContain('no shell has replaced the ~');
  });

  it('sets nothing up where the answers end', async () => {
    const { code, err } = await init(['--state-dir', daemon.stateDir], { typed: `${config}\n` });
    expect(code).toBe(1);
    expect(err).toMatch(/the input ended: nothing was set up/);
    expect(readdirSync(daemon.folder)).toEqual([]);
  });

  it.each([
    [['--backend', 'pkcs11'], /needs the URI of its token/],
    [['--backend', 'file', '--uri', 'pkcs11:token=x'], /--uri is the URI of a token/],
    [['--uri', 'http://x'], /--uri: /],
    [['--uri', 'pkcs11:token=x?pin-value=1234&module-path=/x.so'], /--uri: .*pin-value/],
    [['--backend', 'sealed'], /file, pkcs11/],
  ])('refuses %j, and nothing is made', async (flags, why) => {
    const { code, err } = await init([...all(), ...flags]);
    expect(code).toBe(2);
    expect(err).toMatch(why);
    expect(readdirSync(daemon.folder)).toEqual([]);
  });

  it('refuses a token without a configuration to name it in', async () => {
    const { code, err } = await init([
      '--state-dir',
      daemon.stateDir,
      '--yes',
      '--uri',
      'pkcs11:token=x',
    ]);
    expect(code).toBe(2);
    expect(err).toMatch(/give --config FILE/);
    writeFileSync(join(daemon.folder, 'broken.toml'), 'state_dri = "/x"\n', { mode: 0o600 });
    const broken = await init(['--config', join(daemon.folder, 'broken.toml'), '--yes']);
    expect(broken).toMatchObject({
      code: 2,
      err: expect.stringMatching(/did you mean state_dir/) as string,
    });
  });
});
