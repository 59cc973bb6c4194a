import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { childrenOf, FaultyAgent, isRunning, until } from '../support/faulty-agent.ts';

const secret = 'not-for-vendor-code-4711';

let agent: FaultyAgent;
beforeAll(async () => {
  agent = await FaultyAgent.start({
    environment: {
      AWS_SECRET_ACCESS_KEY: secret,
      NODE_OPTIONS: '--no-deprecation',
      LD_LIBRARY_PATH: `/tmp/${secret}`,
      MODULE_SETTING: 'wanted',
      NOTIFY_SOCKET: '',
    },
    keyring: 'environment = ["MODULE_SETTING"]',
    tables: (module) => `[keyrings.second]\nbackend = "pkcs11"\nuri = "${module.uri}"\n`,
  });
});
afterAll(() => agent.remove());

function read(pid: number, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, 'latin1');
}

describe('the process of a module', () => {
  it('is one for two keyrings, and killing it disturbs neither', async () => {
    for (let kill = 0; kill < 3; kill += 1) {
      const host = agent.host();
      const signing = [agent.signAtOnce(60), agent.signAtOnce(60, 'second')];
      const { C_Sign } = agent.module.counts();
      await until('signatures', () => agent.module.counts().C_Sign > C_Sign + 10);
      process.kill(host, 'SIGKILL');
      await Promise.all(signing);
      // All of them may have been made before the kill: this one needs the next process.
      await agent.sign();
      await agent.sign('second');
      expect(agent.host()).not.toBe(host);
    }
  });

  it('alone has the module mapped', () => {
    const foreign = /libsofthsm2|fault-module|pkcs11\.node/;
    expect(read(agent.daemon.pid, 'maps')).not.toMatch(foreign);
    const mapped = read(agent.host(), 'maps');
    for (const name of ['libsofthsm2', 'fault-module.so', 'pkcs11.node']) {
      expect(mapped).toContain(name);
    }
  });

  it('has no more of an environment than a module needs, and no secret in it', () => {
    const environ = read(agent.host(), 'environ');
    const names = environ
      .split('\0')
      .filter((entry) => entry !== '')
      .map((entry) => entry.replace(/=.*/s, ''));
    const usual = ['HOME', 'LANG', 'LC_ALL', 'PATH', 'TZ', 'UV_THREADPOOL_SIZE'];
    const modules = /^(?:SOFTHSM2|TPM2_PKCS11|TSS2|YUBIHSM|P11_KIT|PKCS11)_/;
    const others = names.filter((name) => !usual.includes(name) && !modules.test(name));
    expect(others).toEqual(['MODULE_SETTING']);
    expect(names).toContain('SOFTHSM2_CONF');
    expect(environ).not.toContain(secret);
    expect(environ).not.toContain(pin());
  });

  it('has no PIN on its command line', () => {
    for (const pid of [agent.daemon.pid, agent.host()]) {
      expect(read(pid, 'cmdline')).not.toContain(pin());
    }
  });

  it('leaves no core and no file that others may read', () => {
    for (const pid of [agent.daemon.pid, agent.host()]) {
      expect(read(pid, 'limits')).toMatch(/^Max core file size +0 +0 /m);
      expect(read(pid, 'status')).toMatch(/^Umask:\t0077$/m);
    }
  });

  it('is not ended by signals that are meant for the agent', async () => {
    const host = agent.host();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.kill(host, signal);
      await agent.signAtOnce(10);
    }
    expect(agent.host()).toBe(host);
  });
});

function pin(): string {
  return readFileSync(agent.token.pinFile, 'utf8').trim();
}

describe('the end of the agent', () => {
  let ended: FaultyAgent;
  beforeAll(async () => {
    ended = await FaultyAgent.make();
  });
  afterAll(() => ended.remove());
  beforeEach(async () => {
    await ended.start();
    await ended.sign();
  });

  it('killed, it takes the process of the module with it', async () => {
    const host = ended.host();
    await ended.daemon.stop('SIGKILL');
    await until('the end of the vault host', () => !isRunning(host));
  });

  it('killed while a call hangs, too', async () => {
    const host = ended.host();
    ended.module.script('C_Sign at next hang');
    const { C_Sign } = ended.module.counts();
    const signing = ended.sign().catch(() => null); // nobody answers it
    await until('the call that hangs', () => ended.module.counts().C_Sign > C_Sign);
    await ended.daemon.stop('SIGKILL');
    await until('the end of the vault host', () => !isRunning(host));
    ended.module.clear();
    await signing;
  });

  it('stopped in order, both end so', async () => {
    const host = ended.host();
    const calls = await ended.calls(async () => {
      expect(await ended.daemon.stop('SIGTERM')).toBe(0);
    });
    expect(isRunning(host)).toBe(false);
    expect(calls.C_Finalize).toBe(1);
  });
});

it('agent and module host are closed to other processes of their user (PR_SET_DUMPABLE)', async () => {
  // Root may look into any process by its capabilities: all of these programs run without them.
  const root = process.getuid?.() === 0;
  const wrapper = root ? 'setpriv' : 'env';
  const flags = root ? ['--bounding-set=-all', '--inh-caps=-all'] : [];
  const start = (...command: string[]): ChildProcess => {
    const child = spawn(wrapper, [...flags, ...command], {
      env: { ...process.env, ...closed.token.environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    return child;
  };
  const mayRead = (pid: number): boolean => {
    return spawnSync(wrapper, [...flags, 'cat', `/proc/${pid}/environ`]).status === 0;
  };
  const closed = await FaultyAgent.make();
  onTestFinished(() => closed.remove());

  const open = start('sleep', '60');
  const { daemon } = closed;
  const program = fileURLToPath(new URL('../../dist/bin/signing-agent.js', import.meta.url));
  const where = ['--state-dir', daemon.stateDir, '--socket', daemon.socket];
  const running = start(process.execPath, program, ...where, ...closed.flags);
  if (running.stderr === null) throw new Error('stderr is a pipe');
  for await (const line of createInterface({ input: running.stderr })) {
    if (line.includes('"msg":"ready"')) break;
  }
  const { pid } = running;
  if (pid === undefined || open.pid === undefined) throw new Error('they were started');
  const [host] = childrenOf(pid);
  if (host === undefined) throw new Error('a keyring is open');
  expect(mayRead(open.pid)).toBe(true);
  expect(mayRead(pid)).toBe(false);
  expect(mayRead(host)).toBe(false);
  const gone = once(running, 'exit');
  running.kill('SIGTERM');
  expect(await gone).toEqual([0, null]);
});
