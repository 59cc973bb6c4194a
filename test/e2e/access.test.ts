import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { methods } from '../../src/request/methods/methods.ts';
import { Daemon } from '../support/daemon.ts';
import { LineClient, type Answer } from '../support/line-client.ts';
import { OtherUser } from '../support/other-user.ts';

/** Another user can be had only by root, which is who CI is. */
const isRoot = process.getuid?.() === 0;
const message_b64 = Buffer.from('hello').toString('base64url');
const open = '[socket]\nmode = "0666"\n';

let user: OtherUser;
let daemon: Daemon;
let clients: LineClient[];

function kindOf({ error }: Answer): string {
  return error?.data.kind ?? 'done';
}

function connect(options: { groups?: boolean } = {}): LineClient {
  const client = user.connect(daemon.socket, options);
  clients.push(client);
  return client;
}

async function connectAsRoot(): Promise<LineClient> {
  const client = await LineClient.open(daemon.socket);
  clients.push(client);
  return client;
}

/** Starts the agent with these lines behind those of the socket that everybody may reach. */
async function start(configuration = '', ...flags: string[]): Promise<void> {
  await daemon.start('--config', daemon.config(open + configuration), ...flags);
}

/** Writes the configuration and waits until the agent has read it. */
async function hangUp(configuration: string, said = 'reloaded'): Promise<void> {
  daemon.config(configuration);
  const from = daemon.log.length;
  process.kill(daemon.pid, 'SIGHUP');
  await daemon.logged(({ msg }) => msg === said, from);
}

beforeAll(() => {
  if (isRoot) user = new OtherUser();
});
afterAll(() => {
  if (isRoot) user.remove();
});

describe.runIf(isRoot)('an agent of root, and another user', () => {
  beforeEach(() => {
    clients = [];
    daemon = new Daemon();
    chmodSync(daemon.folder, 0o711);
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    await daemon.remove();
  });

  test('in no list: ping, whoami and authenticate alone', async () => {
    await start();
    const client = connect();
    const open = ['ping', 'whoami', 'authenticate'];
    for (const [name, { scope }] of methods) {
      if (open.includes(name)) continue;
      expect((await client.call(name)).error, name).toMatchObject({
        code: -32002,
        data: { kind: 'forbidden', needs: scope },
      });
    }
    expect(await client.call('ping')).toMatchObject({ result: {} });
    expect((await client.call('whoami')).result).toEqual({
      principal: {
        kind: 'user',
        name: user.name,
        uid: user.uid,
        pid: expect.any(Number) as number,
        scope: 'none',
      },
    });
    const wrong = { api_key: `sa_admin_${'0'.repeat(64)}` };
    expect(kindOf(await client.call('authenticate', wrong))).toBe('unauthenticated');
    const root = await connectAsRoot();
    const { result } = await root.call('status');
    expect(result?.['counters']).toMatchObject({ authentication_failures: 1, signatures: 0 });
    const ended = await user.agentctl(daemon.socket, ['sign'], 'hello');
    expect(ended).toMatchObject({ code: 4, out: '' });
    expect(ended.err).toContain(`sign needs scope app; ${user.name} (uid ${user.uid})`);
  });

  test('lines of 4 KiB, and of the usual length once he has an API key', async () => {
    await start();
    const root = await connectAsRoot();
    const made = await root.call('apikey_create', {
      id: 'ci',
      scope: 'app',
      allowed_users: [user.name],
    });
    const long = { message_b64: 'A'.repeat(100_000) };
    const stranger = connect();
    stranger.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'sign', params: long }));
    await stranger.until((answers) => answers.length === 1);
    expect(stranger.answers[0]).toMatchObject({
      id: null,
      error: { data: { kind: 'too_large', limit: 4096 } },
    });
    const client = connect();
    await client.call('authenticate', { api_key: made.result?.['secret'] });
    expect(kindOf(await client.call('sign', long))).toBe('done');
    // Root is not among the users of the key.
    const { error } = await root.call('authenticate', { api_key: made.result?.['secret'] });
    expect(error?.data).toEqual({ kind: 'unauthenticated' });
  });

  test('readers = ["*"]: everybody may look, and not sign', async () => {
    await start('[access]\nreaders = ["*"]\n');
    const client = connect();
    for (const name of ['status', 'active_key_id', 'list_valid_pubkeys']) {
      expect(kindOf(await client.call(name)), name).toBe('done');
    }
    expect(kindOf(await client.call('sign', { message_b64 }))).toBe('forbidden');
    expect((await user.agentctl(daemon.socket, ['status'])).code).toBe(0);
    expect((await user.agentctl(daemon.socket, ['keys', 'rotate'])).code).toBe(4);
  });

  test('apps = ["@group"]: by a supplementary group that the process has', async () => {
    await start(`[access]\napps = ["@${user.group}"]\n`);
    expect(kindOf(await connect().call('sign', { message_b64 }))).toBe('done');
    const without = connect({ groups: false });
    expect(kindOf(await without.call('sign', { message_b64 }))).toBe('forbidden');
    const ended = await user.agentctl(daemon.socket, ['sign', '--format', 'json'], 'hello');
    expect(ended.code).toBe(0);
  });

  test('whoever is taken out is refused at the next request, also on an open connection', async () => {
    const apps = `${open}[access]\napps = ["${user.name}"]\n`;
    await start(`[access]\napps = ["${user.name}"]\n`);
    const client = connect();
    const sign = async () => kindOf(await client.call('sign', { message_b64 }));
    expect(await sign()).toBe('done');
    await hangUp(open);
    expect(await sign()).toBe('forbidden');
    await hangUp(apps);
    expect(await sign()).toBe('done');
    daemon.config(`${open}[access]\nreaders = ["${user.uid}"]\n`);
    const ended = await daemon.agentctl(['reload']);
    expect(ended).toEqual({
      code: 0,
      out: 'reloaded  access rules\nreloaded  log level\nreloaded  API keys\n',
      err: '',
    });
    expect(await sign()).toBe('forbidden');
    expect(kindOf(await client.call('status'))).toBe('done');
  });

  test('a configuration that is broken at reload keeps the rules, and says so', async () => {
    await start(`[access]\napps = ["${user.name}"]\n`);
    const client = connect();
    await hangUp(`${open}[acess]\n`, 'not everything was reloaded');
    expect(kindOf(await client.call('sign', { message_b64 }))).toBe('done');
    const reason = expect.stringContaining('did you mean access') as string;
    expect(daemon.log.at(-1)).toMatchObject({
      level: 'error',
      kept: [{ part: 'configuration', failed: true, reason }],
    });
    const ended = await daemon.agentctl(['--json', 'reload']);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.out)).toEqual({
      reloaded: ['api_keys'],
      kept: [{ part: 'configuration', failed: true, reason }],
    });
    expect(kindOf(await client.call('sign', { message_b64 }))).toBe('done');
  });

  test('a name that cannot be resolved allows nobody, and is a warning wherever one looks', async () => {
    await start('[access]\napps = ["no-such-user"]\nreaders = ["@no-such-group"]\n');
    const user = 'access.apps: there is no user "no-such-user" here, so it allows nobody';
    const group = 'access.readers: there is no group "no-such-group" here, so it allows nobody';
    const said = daemon.log.filter(({ msg, level }) => msg === 'access' && level === 'warn');
    expect(said.map(({ reason }) => reason)).toEqual([user, group]);
    expect(kindOf(await connect().call('status'))).toBe('forbidden');
    const root = await connectAsRoot();
    const { result } = await root.call('status');
    expect(result?.['access']).toMatchObject({ warnings: [user, group] });
    expect((await daemon.agentctl(['status'])).out).toContain(user);
    const config = daemon.config(`${open}[access]\napps = ["no-such-user"]\n`);
    const doctor = await daemon.agentctl([
      ...['doctor', '--config', config, '--state-dir', daemon.stateDir],
    ]);
    // The group is gone from the configuration, and still counts in the agent that runs.
    for (const text of [user, group]) {
      expect(doctor.out).toContain(`in the agent that runs: ${text}`);
    }
  });

  test('connections of one user are limited, and no other one goes short', async () => {
    await start(`max_connections_per_uid = 2\n`);
    const [first, second] = [connect(), connect()];
    for (const client of [first, second]) expect(kindOf(await client.call('ping'))).toBe('done');
    const third = connect();
    await third.until((answers) => answers.length === 1);
    expect(third.answers[0]).toMatchObject({
      id: null,
      error: { code: -32007, data: { kind: 'rate_limited', retry_after_ms: 1000 } },
    });
    const root = await connectAsRoot();
    expect(kindOf(await root.call('ping'))).toBe('done');
    first.close();
    const connections = async () => (await root.call('status')).result?.['connections'];
    while (((await connections()) as { open: number }).open > 2);
    expect(kindOf(await connect().call('ping'))).toBe('done');
  });

  test('signatures a second of one user are limited, and the time that is said is enough', async () => {
    await start(`[access]\napps = ["${user.name}"]\nmax_signatures_per_second_per_uid = 5\n`);
    const [client, other] = [connect(), connect()];
    const root = await connectAsRoot();
    const sign = (count: number) => [client, other][count % 2]?.call('sign', { message_b64 });
    for (let count = 0; count < 5; count += 1) expect((await sign(count))?.result).toBeDefined();
    let refused: Answer['error'];
    for (let count = 0; refused === undefined; count += 1) refused = (await sign(count))?.error;
    expect(refused).toMatchObject({ code: -32007, data: { kind: 'rate_limited' } });
    await sleep(refused.data['retry_after_ms'] as number);
    expect(kindOf(await client.call('sign', { message_b64 }))).toBe('done');
    // Every user has his own.
    expect(kindOf(await root.call('sign', { message_b64 }))).toBe('done');
  });

  test('the log has who it was, refused and let through', async () => {
    await start(`[access]\nadmins = ["${user.name}"]\n`, '--log-level', 'debug');
    const client = connect();
    const netcat = realpathSync(
      execFileSync('sh', ['-c', 'command -v nc'], { encoding: 'utf8' }).trim(),
    );
    const { result } = await client.call('whoami');
    const { pid } = result?.['principal'] as { pid: number };
    await client.call('rotate', { grace_seconds: 60 });
    const who = { uid: user.uid, pid, exe_best_effort: netcat };
    expect(await daemon.logged(({ msg }) => msg === 'changed')).toMatchObject({
      ...who,
      level: 'info',
      method: 'rotate',
      keyring: 'default',
    });
    await hangUp(open);
    await client.call('rotate', { grace_seconds: 60 });
    expect(await daemon.logged(({ msg }) => msg === 'refused')).toMatchObject({
      ...who,
      level: 'debug',
      method: 'rotate',
      kind: 'forbidden',
    });
  });
});

/** Whether he can read the programs, which lie where the checkout does. */
function isReadable(): boolean {
  const program = fileURLToPath(new URL('../../dist/bin/signing-agent.js', import.meta.url));
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  try {
    execFileSync('setpriv', [...nobody, 'test', '-r', program]);
    return true;
  } catch {
    return false;
  }
}

describe.runIf(isRoot && isReadable())('an agent of another user', () => {
  beforeEach(() => {
    clients = [];
    daemon = new Daemon({}, { launcher: user.launcher });
    chmodSync(daemon.folder, 0o755);
    mkdirSync(daemon.stateDir, { mode: 0o700 });
    chownSync(daemon.folder, user.uid, user.gid);
    chownSync(daemon.stateDir, user.uid, user.gid);
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    await daemon.remove();
  });

  test('he and root are admin, everybody else is nobody', async () => {
    const config = daemon.config(open);
    chownSync(config, user.uid, user.gid);
    await daemon.start('--config', config, '--log-level', 'debug');
    const scopeOf = async (client: LineClient) => {
      const { principal } = (await client.call('whoami')).result as {
        principal: { scope: string };
      };
      return principal.scope;
    };
    expect(await scopeOf(connect())).toBe('admin');
    expect(await scopeOf(connect({ groups: false }))).toBe('admin');
    const root = await connectAsRoot();
    expect(await scopeOf(root)).toBe('admin');
    expect(kindOf(await root.call('sign', { message_b64 }))).toBe('done');
    const stranger = new OtherUser(`stranger${process.pid}`);
    try {
      const client = stranger.connect(daemon.socket);
      clients.push(client);
      expect(await scopeOf(client)).toBe('none');
      expect(kindOf(await client.call('status'))).toBe('forbidden');
      expect(kindOf(await client.call('sign', { message_b64 }))).toBe('forbidden');
      // What another user runs, only root may see.
      const refused = await daemon.logged(({ msg }) => msg === 'refused');
      expect(refused).toMatchObject({ uid: stranger.uid, exe_best_effort: null });
      client.close();
    } finally {
      stranger.remove();
    }
  });
});
