import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Daemon, run } from '../support/daemon.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

let token: SoftHsmToken;
let daemon: Daemon;
let config: string;
beforeEach(async () => {
  token = await makeToken();
  daemon = new Daemon(token.environment);
  config = daemon.config(
    `[keyrings.default]\nbackend = "pkcs11"\nuri = "${token.uri}"\n[keyrings.ci]\nbackend = "file"\n`,
  );
});
afterEach(async () => {
  await daemon.remove();
  await token.remove();
});

interface Finding {
  readonly subject: string;
  readonly state: string;
  readonly text: string;
}
const doctor = (...args: string[]) =>
  daemon.agentctl(['doctor', '--config', config, '--state-dir', daemon.stateDir, ...args]);
async function findings(
  ...args: string[]
): Promise<{ code: number | null; found: readonly Finding[] }> {
  const { code, out, err } = await doctor('--json', ...args);
  expect(err).toBe('');
  const document = JSON.parse(out) as { findings: Finding[]; failures: number };
  expect(code).toBe(document.failures === 0 ? 0 : 1);
  return { code, found: document.findings };
}
async function failures(): Promise<string> {
  const { found } = await findings();
  return found
    .filter(({ state }) => state === 'failure')
    .map(({ subject, text }) => `${subject}: ${text}`)
    .join('\n');
}
const start = () => daemon.start('--config', config);
const sidecar = (): string => join(daemon.stateDir, 'keyrings', 'default.json');
/** The files that a login changes, and when they were changed. */
const tokenFiles = (): string =>
  readdirSync(token.dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.object'))
    .map((name) => {
      const { mtimeMs, size } = statSync(join(token.dir, name));
      return `${name} ${mtimeMs} ${size}`;
    })
    .join('\n');

test('before the first start: nothing is made, nothing fails', async () => {
  const before = tokenFiles();
  expect(before).toContain('token.object');
  const { code, out, err } = await doctor();
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^ok +configuration +.*agent\.toml is valid/m);
  expect(out).toMatch(/^warning +state dir +.* is not there: the agent makes it when it starts$/m);
  expect(out).toMatch(/^ok +default: module +\S+libsofthsm2\.so is there/m);
  expect(out).toMatch(
    /^ok +default: token +"test" \(SoftHSM project SoftHSM v2, serial \w+\) is there$/m,
  );
  expect(out).toMatch(/^ok +default: token +has ed25519, in software$/m);
  expect(out).toMatch(/^ok +default: PIN +its file can be read/m);
  expect(out).toMatch(/^warning +default: sidecar +.* right before the first start/m);
  expect(out).toMatch(/^warning +socket +.* is not there, since no agent runs: start it$/m);
  expect(out).toMatch(/\n0 failures, \d+ warnings\n$/);
  expect(out).not.toContain(readFileSync(token.pinFile, 'utf8').trim());
  expect(existsSync(daemon.stateDir)).toBe(false);
  expect(tokenFiles()).toBe(before);
});

test('while the agent runs, and after it: well', async () => {
  await start();
  const running = await doctor();
  expect(running.code).toBe(0);
  expect(running.out).toMatch(new RegExp(`^ok +agent +process ${daemon.pid} runs on`, 'm'));
  expect(running.out).toMatch(/^ok +socket +someone listens on .*, mode 0600$/m);
  expect(running.out).toMatch(/^ok +default: sidecar +.* 1 record\(s\).*; sealed, counter \d+/m);
  expect(running.out).toMatch(/^ok +ci: keystore +.* has 1 key\(s\), [0-9a-f]{8} is active$/m);
  expect(running.out).toMatch(/^ok +core dumps +the agent has turned them off$/m);
  expect(running.out).toMatch(/^ok +default: health +the agent that runs says ok$/m);
  expect(running.out).not.toMatch(/^warning/m);
  expect((await daemon.agentctl(['sign'], 'x')).code).toBe(0);

  await daemon.stop('SIGKILL');
  const killed = await doctor();
  expect(killed.code).toBe(0);
  expect(killed.out).toMatch(/^warning +socket +nobody listens on .*: start the agent/m);
  // An agent that starts while doctor looks, again and again, is not taken for a second one.
  await Promise.all([start(), doctor(), doctor()]);
});

describe('says what is wrong and what repairs it', () => {
  test('a configuration that is refused', async () => {
    writeFileSync(config, 'surprise = 1\n');
    expect(await failures()).toMatch(/^configuration: .*surprise/);
    chmodSync(config, 0o666);
    expect(await failures()).toContain(`chmod go-w ${config}`);
  });

  test('rights that are too wide', async () => {
    await start();
    await daemon.stop();
    chmodSync(sidecar(), 0o644);
    expect(await failures()).toContain(`chmod 600 ${sidecar()}`);
    chmodSync(sidecar(), 0o600);
    chmodSync(daemon.stateDir, 0o755);
    expect(await failures()).toContain(`chmod 700 ${daemon.stateDir}`);
    chmodSync(daemon.stateDir, 0o700);
    chmodSync(token.pinFile, 0o644);
    expect(await failures()).toMatch(/default: PIN: .*chmod 0600/);
  });

  test('files that are broken', async () => {
    await start();
    await daemon.stop();
    writeFileSync(sidecar(), '{');
    writeFileSync(join(daemon.stateDir, 'keyrings', 'ci.json'), '{');
    const said = await failures();
    expect(said).toContain('default: sidecar');
    expect(said).toContain('agentctl reconcile --keyring default');
    expect(said).toMatch(/ci: keystore: .* is no keystore v1: it is not JSON/);
  });

  test('a module that is missing, may be written by others, or is none', async () => {
    const folder = join(daemon.folder, 'modules');
    const module = join(folder, 'module.so');
    mkdirSync(folder, { mode: 0o700 });
    const uri = token.uri.replace(token.modulePath, module);
    daemon.config(`[keyrings.default]\nbackend = "pkcs11"\nuri = "${uri}"\n`);
    expect(await failures()).toContain(`${module} was not found`);
    writeFileSync(module, 'not a library', { mode: 0o644 });
    expect(await failures()).toContain(`${module} cannot be loaded`);
    copyFileSync(token.modulePath, module);
    chmodSync(module, 0o666);
    expect(await failures()).toContain(`chmod go-w ${module}`);
    chmodSync(module, 0o644);
    expect(await failures()).toBe('');
  });

  test('a token that is not there', async () => {
    const uri = token.uri.replace('token=test', 'token=other');
    daemon.config(`[keyrings.default]\nbackend = "pkcs11"\nuri = "${uri}"\n`);
    expect(await failures()).toMatch(/default: token: no token with token "other".*"test".*uri/);
  });

  test('a PIN that the token has refused before', async () => {
    const pin = readFileSync(token.pinFile, 'utf8');
    writeFileSync(token.pinFile, '000000\n');
    await start(); // it waits for another PIN
    await daemon.stop();
    expect(await failures()).toMatch(/default: PIN: the token has refused this PIN .*unlock/);
    writeFileSync(token.pinFile, pin);
    expect(await failures()).toBe('');
  });

  test('a keyring that is locked in the agent that runs', async () => {
    await start();
    expect((await daemon.agentctl(['lock'])).code).toBe(0);
    const { found } = await findings();
    const health = found.find(({ subject }) => subject === 'default: health');
    expect(health).toMatchObject({ state: 'warning' });
    expect(health?.text).toContain('agentctl unlock --keyring default');
    process.kill(daemon.pid, 'SIGSTOP');
    try {
      const silent = (await findings()).found.find(({ subject }) => subject === 'health');
      expect(silent).toMatchObject({ state: 'warning' });
    } finally {
      process.kill(daemon.pid, 'SIGCONT');
    }
  });

  test.skipIf(process.getuid?.() !== 0)('another user: lines, and no abort', async () => {
    await start();
    const agentctl = join(import.meta.dirname, '../../dist/bin/agentctl.js');
    const ended = await run('setpriv', [
      ...['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, agentctl],
      ...['--json', '--socket', daemon.socket, 'doctor', '--state-dir', daemon.stateDir],
    ]);
    expect(ended).toMatchObject({ code: 1, err: '' });
    const { findings: found } = JSON.parse(ended.out) as { findings: Finding[] };
    for (const subject of ['state dir', 'keyrings', 'agent', 'socket']) {
      const finding = found.find((each) => each.subject === subject);
      expect(finding).toMatchObject({ state: 'failure' });
      expect(finding?.text).toContain("run doctor as the agent's user");
    }
  });

  test('a PIN that nobody has', async () => {
    const uri = token.uri.replace(/[?&]pin-source=[^&]*/, '');
    daemon.config(`[keyrings.default]\nbackend = "pkcs11"\nuri = "${uri}"\n`);
    const { found } = await findings();
    const pin = found.find(({ subject }) => subject === 'default: PIN');
    expect(pin).toMatchObject({ state: 'warning' });
    expect(pin?.text).toMatch(/starts locked.*unlock/);
  });

  test('a clock that is behind the records', async () => {
    await start();
    await daemon.stop();
    const document = JSON.parse(readFileSync(sidecar(), 'utf8')) as object;
    writeFileSync(sidecar(), JSON.stringify({ ...document, latest_time: '2099-01-01T00:00:00Z' }));
    const { found } = await findings();
    const clock = found.find(({ subject }) => subject === 'default: clock');
    expect(clock).toMatchObject({ state: 'warning' });
    expect(clock?.text).toContain('--reset-clock');
  });

  test('a keyring that is not configured, and one alone', async () => {
    const missing = await findings('--keyring', 'nope');
    expect(missing.code).toBe(1);
    expect(missing.found.map(({ subject }) => subject)).toContain('nope: keyring');
    const alone = await findings('--keyring', 'ci');
    expect(alone.found.map(({ subject }) => subject)).not.toContain('default: module');
  });

  test('a socket path that is no socket', async () => {
    rmSync(daemon.socket, { force: true });
    writeFileSync(daemon.socket, '');
    expect(await failures()).toContain(`${daemon.socket} is not a socket`);
  });
});
