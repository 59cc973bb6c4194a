import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { auditRecords } from '../support/audit-chain.ts';
import { Daemon, run } from '../support/daemon.ts';
import { LineClient } from '../support/line-client.ts';
import { signRequest, SshAgentClient } from '../support/ssh-agent-client.ts';

const program = fileURLToPath(new URL('../../dist/bin/signing-agent.js', import.meta.url));

let daemon: Daemon;
beforeEach(() => {
  daemon = new Daemon({}, { plain: true });
});
afterEach(() => daemon.remove());

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const hello = Buffer.from('hello').toString('base64url');

test('without a home directory nothing is made wherever it is started: exit 2, and what to give', async () => {
  // A user whom the account database does not know.
  const user = ['--reuid=51234', '--regid=51234', '--clear-groups'];
  const there = join(daemon.folder, 'there');
  mkdirSync(there);
  chownSync(daemon.folder, 51_234, 51_234);
  chownSync(there, 51_234, 51_234);
  for (const home of [[], ['HOME='], ['HOME=there']]) {
    const agent = [...user, 'env', '-i', `--chdir=${there}`, ...home, process.execPath, program];
    const { code, err } = await run('setpriv', agent);
    expect({ code, files: readdirSync(there) }).toEqual({ code: 2, files: [] });
    expect(err).toMatch(/^signing-agent: HOME is .*name the state dir \(--state-dir\)/);
  }
});

test('the built agent answers rpc.discover with the document that is checked in, each time', async () => {
  await daemon.start();
  const text = readFileSync(new URL('../../docs/openrpc.json', import.meta.url), 'utf8');
  const client = await LineClient.open(daemon.socket);
  client.send('{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}');
  client.send('{"jsonrpc":"2.0","id":2,"method":"rpc.discover"}');
  await client.until(({ length }) => length === 2);
  for (const { result } of client.answers) expect(result).toEqual(JSON.parse(text));
  client.close();
});

test('nothing but flags: a working agent, closed to others from the first moment', async () => {
  await daemon.start();
  expect(daemon.log.at(-1)).toMatchObject({ level: 'info', msg: 'ready', socket: daemon.socket });
  expect(mode(daemon.stateDir)).toBe('700');
  expect(mode(join(daemon.stateDir, 'keyrings', 'default.json'))).toBe('600');
  expect(mode(join(daemon.stateDir, 'lock'))).toBe('600');
  expect(mode(daemon.socket)).toBe('600');
  const { code, out } = await daemon.agentctl(['sign', '--format', 'json'], 'hello');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({
    kid: expect.stringMatching(/^[0-9a-f]{8}$/) as string,
    signature_b64: expect.stringMatching(/^[A-Za-z0-9_-]{86}$/) as string,
  });
  expect(await daemon.stop()).toBe(0);
  expect(existsSync(daemon.socket)).toBe(false);
  expect(daemon.log.at(-1)?.msg).toBe('stopped');
});

test.each([
  { count: 400, stopAt: 1 },
  { count: 400, stopAt: 100 },
  { count: 20_000, stopAt: 1 },
  { count: 20_000, stopAt: 7000 },
])(
  'SIGTERM: of $count requests in one burst each is answered once, also those behind answer $stopAt',
  async ({ count, stopAt }) => {
    await daemon.start('--config', daemon.config('[ssh_agent]\n[audit]\nfsync = false\n'));
    const client = await LineClient.open(daemon.socket);
    const ssh = await SshAgentClient.open(join(daemon.folder, 'ssh.sock'));
    const [key] = await ssh.list();
    if (key === undefined) throw new Error('there is a key');
    const ids = Array.from({ length: count }, (_, index) => index);
    const lines = ids.map(
      (id) => `{"jsonrpc":"2.0","id":${id},"method":"sign","params":{"message_b64":"${hello}"}}\n`,
    );
    client.socket.write(lines.join(''));
    ssh.send(...ids.slice(0, 400).map((id) => signRequest(key.blob, Buffer.from(String(id)))));
    await client.until((answers) => answers.length >= stopAt);
    expect(await daemon.stop()).toBe(0);
    await Promise.all([client.closed, ssh.closed]);
    expect(client.answers.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(ids);
    const outcomes = client.answers.map(
      ({ result, error }) => error?.data.kind ?? typeof result?.['signature_b64'],
    );
    expect([...new Set(outcomes)].filter((outcome) => outcome !== 'string')).toEqual(
      outcomes.includes('shutting_down') ? ['shutting_down'] : [],
    );
    expect(outcomes).toContain('string');
    expect(ssh.answers).toHaveLength(1 + 400);
    // What was answered with a signature is recorded, and nothing else.
    const recorded = auditRecords(join(daemon.stateDir, 'audit')).filter(
      ({ method, outcome }) => method === 'sign' && outcome === 'done',
    );
    expect(recorded).toHaveLength(outcomes.filter((outcome) => outcome === 'string').length);
  },
);

test('SIGTERM while clients go on sending: it ends, and there are no answers but results and shutting_down', async () => {
  await daemon.start();
  const clients = await Promise.all([1, 2, 3, 4].map(() => LineClient.open(daemon.socket)));
  const line = `{"jsonrpc":"2.0","id":7,"method":"sign","params":{"message_b64":"${hello}"}}\n`;
  const rounds = clients.map(async (client) => {
    const depth = 32;
    client.socket.write(line.repeat(depth));
    let sent = depth;
    for (;;) {
      const seen = client.answers.length;
      try {
        await client.until((answers) => answers.length > seen);
      } catch {
        return sent; // closed
      }
      const more = client.answers.length + depth - sent;
      if (client.socket.writable) client.socket.write(line.repeat(more));
      sent += more;
    }
  });
  await clients[0]?.until((answers) => answers.length > 500);
  expect(await daemon.stop()).toBe(0);
  await Promise.all(rounds);
  for (const client of clients) {
    expect(client.answers.length).toBeGreaterThan(100);
    for (const { result, error } of client.answers) {
      expect(error?.data.kind ?? result?.['signature_b64']).toMatch(/^shutting_down$|^[\w-]{86}$/);
    }
  }
});

test('killed and started again it goes on with the same keys, and its clients connect again', async () => {
  await daemon.start();
  const client = await connect({ socket: daemon.socket });
  const before = await client.sign(Buffer.from('x'));
  await client.rotate(3600);
  expect(await daemon.stop('SIGKILL')).toBeNull();
  expect(existsSync(daemon.socket)).toBe(true); // stale, and told from a live one
  await daemon.start();
  const after = await client.sign(Buffer.from('x'), { kid: before.kid });
  expect(after).toEqual(before);
  expect(await client.listValidPubkeys()).toHaveLength(2);
  await client.close();
});

test('killed at any moment of many rotations it loses no acknowledged key', async () => {
  const acknowledged: string[] = [];
  for (let round = 0; round < 8; round += 1) {
    await daemon.start();
    const client = await connect({ socket: daemon.socket });
    const rotating = (async () => {
      for (;;) acknowledged.push((await client.rotate(86_400)).new_active_kid);
    })().catch(() => null); // the kill ends it
    const wanted = acknowledged.length + 1 + round;
    while (acknowledged.length < wanted) await client.ping();
    await daemon.stop('SIGKILL');
    await rotating;
    await client.close();
  }
  await daemon.start();
  const client = await connect({ socket: daemon.socket });
  for (const kid of acknowledged) {
    expect((await client.sign(Buffer.from('x'), { kid })).kid).toBe(kid);
  }
  await client.close();
});

test('SIGHUP does not end it', async () => {
  await daemon.start();
  process.kill(daemon.pid, 'SIGHUP');
  await daemon.logged(({ msg }) => msg === 'reloaded');
  expect((await daemon.agentctl(['status'])).code).toBe(0);
  expect(await daemon.stop('SIGINT')).toBe(0);
});

test('a signal while it starts: it finishes, then stops in order', async () => {
  const signals = { SIGTERM: 'stopped', SIGINT: 'stopped' } as const;
  for (const [signal, last] of Object.entries(signals)) {
    const code = await daemon.startAndSignal(signal as NodeJS.Signals);
    expect(code).toBe(0);
    expect(daemon.log.at(-1)?.msg).toBe(last);
    expect(existsSync(daemon.socket)).toBe(false);
  }
});

describe('exit codes', () => {
  const refused = async (code: number, flags: string[], ...texts: (string | RegExp)[]) => {
    const ended = await daemon.refusedStart(...flags);
    expect(ended.err).toMatch(/^signing-agent: |^error: /m);
    for (const text of texts) expect(ended.err).toMatch(text);
    expect(ended.err).not.toMatch(/^\s+at /m); // no stack traces for people
    expect(ended.code).toBe(code);
  };

  test('2: flags', async () => {
    await refused(2, ['--no-such-flag'], /no-such-flag/);
    await refused(2, ['--log-level', 'loud'], /loud/);
    await refused(2, ['surplus'], /argument/);
  });

  test('2: a configuration that is not there, not closed to others, or not right', async () => {
    await refused(2, ['--config', '/nonexistent/agent.toml'], /\/nonexistent\/agent\.toml/);
    const loose = daemon.config('', 0o600);
    chmodSync(loose, 0o662);
    await refused(2, ['--config', loose], /chmod go-w/);
    chmodSync(loose, 0o600);
    // What a terminal would obey is shown.
    const obeyed = daemon.config('"a\\u009b\\u202e" = 1\n');
    await refused(2, ['--config', obeyed], /unknown key "a\\u\{9b\}\\u\{202e\}"/);
    const wrong = daemon.config('[keyring.default]\n');
    await refused(
      2,
      ['--config', wrong],
      /agent\.toml: keyring: unknown key .*did you mean keyrings/,
    );
  });

  test('3: a second agent on the same state', async () => {
    await daemon.start();
    await refused(
      3,
      ['--socket', join(daemon.folder, 'other.sock')],
      new RegExp(String(daemon.pid)),
    );
    expect((await daemon.agentctl(['status'])).code).toBe(0);
  });

  test('4: a keyring that cannot be opened, and its file is left alone', async () => {
    mkdirSync(join(daemon.stateDir, 'keyrings'), { recursive: true, mode: 0o700 });
    const path = join(daemon.stateDir, 'keyrings', 'default.json');
    writeFileSync(path, '{"version": 1', { mode: 0o600 });
    await refused(4, [], path);
    expect(readFileSync(path, 'utf8')).toBe('{"version": 1');
  });

  test('4: protection that the keys do not have', async () => {
    const config = daemon.config('[keyrings.default]\nrequire = "hardware"\n');
    await refused(4, ['--config', config], /protection software/, /requires hardware/);
    expect(existsSync(join(daemon.stateDir, 'keyrings', 'default.json'))).toBe(false);
  });

  test('2: a state dir, or a file in it, that others could reach', async () => {
    mkdirSync(daemon.stateDir, { mode: 0o755 });
    chmodSync(daemon.stateDir, 0o755);
    await refused(2, [], daemon.stateDir, /chmod/);
    chmodSync(daemon.stateDir, 0o700);
    await daemon.start();
    await daemon.stop();
    const keystore = join(daemon.stateDir, 'keyrings', 'default.json');
    chmodSync(keystore, 0o644);
    await refused(4, [], keystore, /chmod/);
    chmodSync(keystore, 0o600);
    const link = join(daemon.folder, 'link');
    symlinkSync(daemon.stateDir, link);
    await refused(2, ['--state-dir', link], link, /symbolic link/);
  });
});

test('an optional keyring whose token is away does not stop the others', async () => {
  const pin = join(daemon.folder, 'pin');
  writeFileSync(pin, '1234', { mode: 0o600 });
  const config = daemon.config(
    '[keyrings.default]\nbackend = "file"\n[keyrings.away]\nbackend = "pkcs11"\noptional = true\n' +
      `uri = "pkcs11:token=none?module-path=/nonexistent.so&pin-source=file:${pin}"\n`,
  );
  await daemon.start('--config', config);
  const client = await LineClient.open(daemon.socket);
  const { error } = await client.call('sign', { keyring: 'away', message_b64: hello });
  expect(error?.data).toMatchObject({
    kind: 'backend_unavailable',
    retry_after_ms: expect.any(Number) as number,
  });
  expect((await client.call('sign', { message_b64: hello })).result).toBeDefined();
  const { result } = await client.call('status');
  expect(result?.['keyrings']).toMatchObject([
    { name: 'default', health: 'ok' },
    { name: 'away', health: 'unavailable', active_kid: null },
  ]);
  client.close();
});

test('systemd is told when it is ready, that it lives, when it reads anew and when it stops', async () => {
  const path = join(daemon.folder, 'notify.sock');
  const receiver = spawn('python3', [
    '-c',
    'import socket, sys\n' +
      's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n' +
      's.bind(sys.argv[1])\n' +
      'print("bound", flush=True)\n' +
      'while True:\n' +
      '  text = s.recv(1000).decode()\n' +
      '  print(text.replace("\\n", " "), flush=True)\n' +
      '  if text.startswith("STOPPING"): break\n',
    path,
  ]);
  const heard: string[] = [];
  const lines = createInterface({ input: receiver.stdout });
  lines.on('line', (line) => heard.push(line));
  const next = async (beginning: string): Promise<void> => {
    while (!heard.some((line) => line.startsWith(beginning))) await once(lines, 'line');
  };
  await next('bound');
  const ended = once(receiver, 'close');
  const environment = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '100000' };
  const notified = new Daemon(environment, { plain: true });
  try {
    await notified.start();
    await next('WATCHDOG');
    process.kill(notified.pid, 'SIGHUP');
    await next('RELOADING');
    await notified.stop();
    await ended;
  } finally {
    receiver.kill();
    await notified.remove();
  }
  expect(heard.filter((line) => line !== 'WATCHDOG=1')).toEqual([
    'bound',
    'READY=1 STATUS=keyrings: 1 ok',
    expect.stringMatching(/^RELOADING=1 MONOTONIC_USEC=\d+$/),
    'READY=1 STATUS=keyrings: 1 ok',
    'STOPPING=1 STATUS=answering what was asked before',
  ]);
});

// Another user can be had only by root, which is who CI is.
if (process.getuid?.() === 0) {
  test('another user of the machine may ask who he is, and nothing else', async () => {
    chmodSync(daemon.folder, 0o711);
    await daemon.start('--config', daemon.config('[socket]\nmode = "0666"\n'));
    expect(mode(daemon.socket)).toBe('666');
    const asOther = async (method: string, params = '{}') => {
      const line = `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}\n`;
      const { out } = await run(
        'setpriv',
        ['--reuid=65534', '--regid=65534', '--clear-groups', 'nc', '-NU', daemon.socket],
        line,
      );
      return JSON.parse(out) as {
        result?: { principal?: unknown };
        error?: { code: number; data: { kind: string; needs: string } };
      };
    };
    expect((await asOther('ping')).result).toEqual({});
    // No scope, no long lines: a thousand connections of his must not fill the memory.
    expect((await asOther('ping', `{"x":"${'x'.repeat(5000)}"}`)).error?.data).toEqual({
      kind: 'too_large',
      limit: 4096,
    });
    expect((await asOther('whoami')).result?.principal).toMatchObject({
      uid: 65534,
      scope: 'none',
    });
    for (const [method, needs] of [
      ['status', 'reader'],
      ['describe_backend', 'reader'],
      ['active_key_id', 'reader'],
      ['public_key_b64', 'reader'],
      ['list_valid_pubkeys', 'reader'],
      ['verify', 'reader'],
      ['sign', 'app'],
      ['sign_batch', 'app'],
      ['rotate', 'admin'],
      ['prune_expired_grace', 'admin'],
      ['prepare', 'admin'],
      ['revoke', 'admin'],
      ['list_keys', 'admin'],
    ] as const) {
      expect((await asOther(method)).error).toMatchObject({
        code: -32002,
        data: { kind: 'forbidden', needs },
      });
    }
  });

  test('a state dir that belongs to somebody else is refused', async () => {
    mkdirSync(daemon.stateDir, { mode: 0o700 });
    await run('chown', ['65534', daemon.stateDir]);
    const { code, err } = await daemon.refusedStart();
    expect(code).toBe(2);
    expect(err).toContain(daemon.stateDir);
  });
}
