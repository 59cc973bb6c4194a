import { afterEach, beforeEach, expect, test } from 'vitest';
import { agentctl } from '../support/cli-session.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';

let agent: InProcessAgent;
beforeEach(() => {
  agent = new InProcessAgent(
    '[keyrings.default]\nbackend = "file"\n[keyrings.token]\nbackend = "pkcs11"\n' +
      'uri = "pkcs11:token=none?module-path=/none.so"\noptional = true\n',
  );
});
afterEach(() => agent.remove());

const run = (...argv: string[]) => agentctl(['--socket', agent.socket, ...argv]);

test('ping, whoami and status --check ask a running agent', async () => {
  await agent.start();
  const pong = await run('--json', 'ping');
  expect(pong.code).toBe(0);
  expect(JSON.parse(pong.out)).toEqual({ milliseconds: expect.any(Number) as number });
  const who = await run('whoami');
  expect(who.code).toBe(0);
  expect(who.out).toMatch(/^user +\S+\nscope +admin\nuid +\d+\npid +\d+\n$/);
  const check = await run('status', '--check');
  expect(check).toMatchObject({ code: 1, err: '' });
  expect(check.out).toMatch(/^degraded: keyring token: /);
  const { out } = await run('--json', 'status', '--check');
  expect(JSON.parse(out)).toMatchObject({ state: 'degraded' });
});

test('without an agent: ping says so, and status --check that it is down', async () => {
  expect(await run('ping')).toMatchObject({ code: 3, out: '' });
  const check = await run('status', '--check');
  expect(check.code).toBe(2);
  expect(check.out).toMatch(/^down: no agent at/);
});

test('wait: until the agent is there', async () => {
  const waiting = run('wait', '--timeout', '1m');
  await agent.start();
  expect(await waiting).toMatchObject({ code: 0, out: '', err: '' });
});

test('wait: the time is over first', async () => {
  const { code, err } = await run('wait', '--timeout', '0s');
  expect(code).toBe(3);
  expect(err).toMatch(/^agentctl: waited 0s: no agent at/);
});

test('wait: for a keyring that does not sign, and for none', async () => {
  await agent.start();
  const locked = await run('--keyring', 'default', '--keyring', 'token', 'wait', '--timeout', '0s');
  expect(locked.code).toBe(3);
  expect(locked.err).toMatch(/waited 0s: keyring token: /);
  const none = await run('--keyring', 'nine', 'wait', '--timeout', '0s');
  expect(none.err).toMatch(/keyring nine: there is none/);
  expect(await run('--keyring', 'default', 'wait')).toMatchObject({ code: 0 });
});

test('wait: a time that is none', async () => {
  expect(await run('wait', '--timeout', 'soon')).toMatchObject({ code: 2 });
});
