import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Daemon, run, type Ended } from '../support/daemon.ts';
import { until } from '../support/faulty-agent.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let token: SoftHsmToken;
let daemon: Daemon;
beforeEach(async () => {
  token = await makeToken('prod');
  daemon = new Daemon(token.environment);
});
afterEach(async () => {
  await daemon.remove();
  await token.remove();
});

const uriOf = (label: string, object = ''): string =>
  token.uri.replace('token=prod', `token=${label}${object}`);
/** What is remembered of the PINs of a keyring, or of the CA; null where there is no such file. */
function remembered(name: string): Record<string, unknown> | null {
  const path = join(daemon.stateDir, 'keyrings', `${name}.pin-refused.json`);
  return existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>)
    : null;
}

describe('a token that is away', () => {
  const tries = 4;

  test('costs no try, of a keyring or of the CA, and both open by themselves when it is there', async () => {
    const config = daemon.config(
      `[keyrings.default]\nbackend = "pkcs11"\noptional = true\nuri = "${uriOf('late')}"\n` +
        `[cluster]\ndomain = "prod.example"\nca_backend = "pkcs11"\nca_uri = "${uriOf('late')}"\n`,
    );
    await daemon.start('--config', config);
    const triesOf = (keyring: string): number =>
      daemon.log.filter((line) => line['keyring'] === keyring && 'retry_after_ms' in line).length;
    await until('both were tried', () => {
      return triesOf('default') >= tries && triesOf('cluster-ca') >= tries;
    });
    const refused = await daemon.agentctl(['--json', 'sign'], 'x');
    expect(refused.err).toContain('"kind":"backend_unavailable"');
    expect(refused.err).toContain('no token');
    expect((await daemon.agentctl(['--json', 'ca', 'show'])).err).toContain('backend_unavailable');
    expect([remembered('default'), remembered('cluster-ca')]).toEqual([null, null]);
    await token.addToken('late');
    await until(
      'the keyring is open',
      async () => (await daemon.agentctl(['sign'], 'x')).code === 0,
    );
    await until('the CA is open', async () => (await daemon.agentctl(['ca', 'show'])).code === 0);
    for (const name of ['default', 'cluster-ca']) {
      expect(remembered(name)).not.toHaveProperty('trying');
    }
  });

  test('starts that end for it lock nothing', async () => {
    const away = daemon.config(
      `[keyrings.default]\nbackend = "pkcs11"\nuri = "${uriOf('late')}"\n`,
    );
    for (let start = 0; start < tries; start += 1) {
      expect(await daemon.refusedStart('--config', away)).toMatchObject({
        code: 4,
        err: expect.stringContaining('no token') as string,
      });
    }
    await token.addToken('late');
    await daemon.start('--config', away);
    expect((await daemon.agentctl(['sign'], 'x')).code).toBe(0);
  });
});

test('a token without a user PIN locks the keyring until one is set, and no longer', async () => {
  const config = daemon.config(
    `[keyrings.default]\nbackend = "pkcs11"\nuri = "${uriOf('bare')}"\n`,
  );
  const soPin = '87654321';
  const tool = (program: string, ...args: string[]): Promise<Ended> =>
    run(program, args, '', token.environment);
  // Initialised by its security officer alone.
  const module = ['--module', token.modulePath];
  // Behind the token that there is stands a slot with none.
  const init = ['--init-token', '--label', 'bare', '--so-pin', soPin];
  const made = await tool('pkcs11-tool', ...module, '--slot-index', '1', ...init);
  expect(made).toMatchObject({ code: 0 });
  for (let start = 0; start < 2; start += 1) {
    await daemon.start('--config', config);
    expect((await daemon.agentctl(['sign'], 'x')).err).toContain('has no user PIN yet');
    await daemon.stop();
  }
  expect(remembered('default')).not.toHaveProperty('closed');
  const pin = readFileSync(token.pinFile, 'utf8').trim();
  const set = [
    '--token-label',
    'bare',
    '--init-pin',
    '--login',
    '--so-pin',
    soPin,
    '--new-pin',
    pin,
  ];
  expect(await tool('pkcs11-tool', ...module, ...set)).toMatchObject({ code: 0 });
  await daemon.start('--config', config);
  expect((await daemon.agentctl(['sign'], 'x')).code).toBe(0);
});

describe('a binding that cannot be loaded, as after a change of Node.js', () => {
  /** A copy of what is installed, with an addon of another machine in it. */
  function broken(): string {
    const copy = join(daemon.folder, 'installed');
    mkdirSync(join(copy, 'node_modules'), { recursive: true });
    for (const name of ['dist', 'package.json']) {
      cpSync(join(root, name), join(copy, name), { recursive: true });
    }
    const copied = ['pkcs11js', 'graphene-pk11'];
    for (const name of readdirSync(join(root, 'node_modules'))) {
      const [from, to] = [join(root, 'node_modules', name), join(copy, 'node_modules', name)];
      if (copied.includes(name)) cpSync(from, to, { recursive: true });
      else symlinkSync(from, to);
    }
    const addon = join(copy, 'node_modules', 'pkcs11js', 'build', 'Release', 'pkcs11.node');
    expect(existsSync(addon)).toBe(true);
    writeFileSync(addon, 'of another machine');
    return copy;
  }
  const remedy = /\(pkcs11js\) cannot be loaded by Node\.js v\d+.*npm rebuild pkcs11js/;
  const where = (): string[] => ['--state-dir', daemon.stateDir, '--socket', daemon.socket];
  const program = (copy: string, name: string, ...args: string[]): Promise<Ended> =>
    run(
      process.execPath,
      [join(copy, 'dist', 'bin', `${name}.js`), ...args],
      '',
      token.environment,
    );

  test('is named with its remedy, by the start and by doctor, and nothing is locked when it is mended', async () => {
    const copy = broken();
    const config = daemon.config(
      `[keyrings.default]\nbackend = "pkcs11"\nuri = "${uriOf('prod')}"\n` +
        `[cluster]\ndomain = "prod.example"\nca_backend = "pkcs11"\nca_uri = "${uriOf('prod')}"\n`,
    );
    for (let start = 0; start < 3; start += 1) {
      const refused = await program(copy, 'signing-agent', '--config', config, ...where());
      expect(refused.code).toBe(4);
      expect(refused.err).toMatch(remedy);
    }
    const doctor = await program(copy, 'agentctl', 'doctor', '--config', config, ...where());
    const failures = doctor.out.split('\n').filter((line) => line.startsWith('failure'));
    expect(failures).toHaveLength(2);
    for (const failure of failures) {
      expect(failure).toMatch(/^failure +(default|cluster-ca): binding /);
      expect(failure).toMatch(remedy);
    }
    expect([remembered('default'), remembered('cluster-ca')]).toEqual([null, null]);
    await daemon.start('--config', config);
    expect((await daemon.agentctl(['sign'], 'x')).code).toBe(0);
    expect((await daemon.agentctl(['ca', 'show'])).code).toBe(0);
  });

  test('of an optional keyring is told to who signs, and others sign on', async () => {
    const copy = broken();
    const config = daemon.config(
      `[keyrings.default]\nbackend = "file"\n[keyrings.hsm]\nbackend = "pkcs11"\noptional = true\nuri = "${uriOf('prod')}"\n`,
    );
    const agent = new Daemon(token.environment, {
      installed: join(copy, 'dist', 'bin', 'signing-agent.js'),
    });
    try {
      await agent.start('--config', config);
      expect((await agent.agentctl(['sign'], 'x')).code).toBe(0);
      const refused = await agent.agentctl(['--json', '--keyring', 'hsm', 'sign'], 'x');
      expect(refused.err).toContain('"kind":"backend_unavailable"');
      expect(refused.err).toMatch(remedy);
    } finally {
      await agent.remove();
    }
  });
});
