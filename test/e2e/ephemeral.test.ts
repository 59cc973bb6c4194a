import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const built = (name: string): string =>
  fileURLToPath(new URL(`../../dist/bin/${name}.js`, import.meta.url));
const agent = built('signing-agent');
const agentctl = `${process.execPath} ${built('agentctl')}`;
const environment = { PATH: process.env['PATH'] ?? '', UV_THREADPOOL_SIZE: '3' };

const ephemeral = (...command: string[]) =>
  spawnSync(process.execPath, [agent, '--ephemeral', ...command], {
    env: environment,
    encoding: 'utf8',
  });
const shell = (script: string) => ephemeral('--', 'sh', '-c', script);

test('a command signs with keys of its own, by both sockets, and all of it is gone with it', () => {
  const { status, stdout, stderr } = shell(
    `echo hello | ${agentctl} sign > /dev/null && ${agentctl} --json keys list | grep -c active && ` +
      'ssh-add -l | grep -c ED25519; dirname $SIGNING_AGENT_SOCK; dirname $SSH_AUTH_SOCK; exit 7',
  );
  expect(stderr).toBe('');
  expect(status).toBe(7);
  const [active, identities, folder = '', sameFolder] = stdout.split('\n');
  expect([active, identities]).toEqual(['1', '1']);
  expect(folder).toMatch(/^\//);
  expect(sameFolder).toBe(folder);
  expect(existsSync(folder)).toBe(false);
});

test('the signal that ends a command, and a command that is none', () => {
  expect(shell('kill -9 $$')).toMatchObject({ status: 137 });
  expect(ephemeral('--', '/no/such/program')).toMatchObject({
    status: 127,
    stderr: 'signing-agent: /no/such/program: not found\n',
  });
});

test('what does not go with it', () => {
  expect(ephemeral()).toMatchObject({ status: 2 });
  expect(ephemeral('--state-dir', '/tmp/x', '--', 'true')).toMatchObject({ status: 2 });
  const without = spawnSync(process.execPath, [agent, '--', 'true'], { encoding: 'utf8' });
  expect(without.status).toBe(2);
  expect(without.stderr).toContain('--ephemeral');
});

test('an agent that does not start is said, with what it said', () => {
  const long = join('/dev/shm', 'x'.repeat(100));
  mkdirSync(long);
  try {
    const env = { ...environment, XDG_RUNTIME_DIR: long };
    const ended = spawnSync(process.execPath, [agent, '--ephemeral', '--', 'true'], {
      env,
      encoding: 'utf8',
    });
    expect(ended.status).toBe(2);
    expect(ended.stderr).toMatch(/^signing-agent: the agent did not start: /);
    expect(ended.stderr).toContain('the socket path has');
    expect(readdirSync(long)).toEqual([]);
  } finally {
    rmSync(long, { recursive: true });
  }
});

test('SIGTERM is for the command', async () => {
  const child = spawn(
    process.execPath,
    [
      agent,
      '--ephemeral',
      '--',
      'sh',
      '-c',
      'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done',
    ],
    { env: environment, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(createInterface({ input: child.stdout }), 'line');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([5, null]);
});

test('whoever starts both is killed: the agent ends, and its keys go', async () => {
  const child = spawn(
    process.execPath,
    [agent, '--ephemeral', '--', 'sh', '-c', 'echo $SIGNING_AGENT_SOCK; exec cat'],
    { env: environment, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const [socket] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  expect(existsSync(socket)).toBe(true);
  child.kill('SIGKILL');
  child.stdin.end();
  const folder = socket.replace(/\/[^/]*$/, '');
  while (existsSync(folder)) await new Promise((resolve) => setTimeout(resolve, 20));
});
