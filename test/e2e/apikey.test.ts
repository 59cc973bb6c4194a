import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiKeyList } from '../../src/api/api-keys.ts';
import { Daemon } from '../support/daemon.ts';
import { OtherUser } from '../support/other-user.ts';

const program = fileURLToPath(new URL('../../dist/bin/agentctl.js', import.meta.url));
const daemon = new Daemon();
const { folder, socket, stateDir } = daemon;

/** A command line as it is typed, in the folder of the agent, whose socket is in the environment. */
function $(line: string): { status: number | null; out: string; err: string } {
  const shell = `agentctl() { "${process.execPath}" "${program}" "$@"; }; ${line}`;
  const env = { ...process.env, SIGNING_AGENT_SOCK: socket };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', shell], { cwd: folder, env });
  return { status, out: stdout.toString(), err: stderr.toString() };
}
const listed = (): ApiKeyList['keys'] =>
  (JSON.parse($('agentctl --json apikey list').out) as ApiKeyList).keys;

beforeAll(async () => {
  const config = daemon.config('[keyrings.default]\n[keyrings.ci]\n[keyrings.nightly]\n');
  await daemon.start('--config', config, '--log-level', 'debug');
  writeFileSync(join(folder, 'message'), 'a message');
});
afterAll(() => daemon.remove());

describe('a session with API keys', () => {
  it('makes one that is shown once', () => {
    const { status, out, err } = $(
      'agentctl apikey create build-farm --scope app --keyring ci --keyring nightly --expires 30d --machine this --note "the farm"',
    );
    expect({ status, err }).toEqual({ status: 0, err: 'The secret is not shown again.\n' });
    expect(out).toMatch(/^keyrings +ci, nightly$/m);
    expect(out).toMatch(/^expires +in (30d|29d 23h) /m);
    const secret = /^secret +(sa_build-farm_[0-9a-f]{64})$/m.exec(out)?.[1] ?? '';
    writeFileSync(join(folder, 'farm.key'), `${secret}\n`, { mode: 0o600 });
    expect($('agentctl apikey list').out).toMatch(
      /^build-farm +app +valid .* keyring ci, nightly; 1 machine +the farm$/m,
    );
  });

  it('signs with it what it is for, and nothing else', () => {
    const as = 'agentctl --api-key-file farm.key';
    expect($(`${as} --keyring ci sign message`)).toMatchObject({ status: 0, err: '' });
    expect($(`${as} sign message --keyring nightly`)).toMatchObject({ status: 0 });
    expect($(`${as} sign message`)).toMatchObject({
      status: 4,
      err: 'agentctl: sign: API key build-farm is not for that keyring\n',
    });
    expect($(`${as} keys rotate --keyring ci`)).toMatchObject({ status: 4, out: '' });
    expect($(`${as} apikey list`)).toMatchObject({ status: 4, out: '' });
    expect(listed()[0]?.last_used_at).toMatch(/^2/);
  });

  it('takes the key from a pipe too, and from stdin where the command leaves it alone', () => {
    expect($('agentctl --api-key-file <(cat farm.key) --keyring ci sign message').status).toBe(0);
    expect($('agentctl --api-key-file - --keyring ci sign message < farm.key').status).toBe(0);
    expect($('agentctl --api-key-file - --keyring ci sign < farm.key')).toMatchObject({
      status: 2,
      out: '',
      err: expect.stringMatching(/--api-key-file - takes stdin/) as string,
    });
  });

  it.each([
    ['is not there', 'none.key', 2, /API key file none\.key does not exist/],
    [
      'others may read',
      'open.key',
      2,
      /open\.key has mode 0644, so others can reach it; chmod 0600/,
    ],
    ['is empty', 'empty.key', 2, /is empty/],
    ['has two lines', 'two.key', 2, /more than one line/],
    ['is none', 'wrong.key', 4, /the API key is not accepted/],
  ])('refuses a key file that %s', (_, name, status, why) => {
    writeFileSync(join(folder, 'open.key'), 'sa_x', { mode: 0o644 });
    writeFileSync(join(folder, 'empty.key'), '\n', { mode: 0o600 });
    writeFileSync(join(folder, 'two.key'), 'sa_x\nsa_y\n', { mode: 0o600 });
    writeFileSync(join(folder, 'wrong.key'), `sa_build-farm_${'0'.repeat(64)}`, { mode: 0o600 });
    const refused = $(`agentctl --api-key-file ${name} status`);
    expect(refused.err).toMatch(why);
    expect(refused).toMatchObject({ status });
    expect(refused.err).not.toMatch(/sa_/);
  });

  it('writes a secret to a new file, and not to stdout', () => {
    const made = $('agentctl --json apikey create deploy --scope app --out deploy.key');
    expect(made.status).toBe(0);
    expect(JSON.parse(made.out)).not.toHaveProperty('secret');
    expect(statSync(join(folder, 'deploy.key')).mode & 0o777).toBe(0o600);
    expect($('agentctl --api-key-file deploy.key sign message').status).toBe(0);
    const again = $('agentctl apikey create another --scope app --out deploy.key');
    expect(again).toMatchObject({ status: 1, out: '' });
    expect(again.err).toMatch(/deploy\.key is there already, and is never overwritten/);
    expect(listed().map(({ id }) => id)).toEqual(['build-farm', 'deploy']);
  });

  it('makes no key whose secret cannot be written', () => {
    const { status, err } = $('agentctl apikey create lost --scope app --out no/such/dir.key');
    expect(status).toBe(1);
    expect(err).toMatch(/cannot write no\/such\/dir\.key/);
    expect(listed().map(({ id }) => id)).not.toContain('lost');
  });

  it('seals a secret for a client key, which age opens', () => {
    expect(
      $('age-keygen -o id.txt && age-keygen -y id.txt | agentctl clientkey register - --label me')
        .status,
    ).toBe(0);
    const id =
      (JSON.parse($('agentctl --json clientkey list').out) as { keys: { id: string }[] }).keys[0]
        ?.id ?? '';
    expect(
      $(`agentctl apikey create sealed --scope app --seal-to ${id} --out sealed.age`).status,
    ).toBe(0);
    expect(
      $(
        'age -d -i id.txt sealed.age > sealed.key; chmod 600 sealed.key; agentctl --api-key-file sealed.key sign message',
      ).status,
    ).toBe(0);
    expect(
      $(`agentctl apikey create sealed-too --scope app --seal-to ${id} | age -d -i id.txt`).out,
    ).toMatch(/^sa_sealed-too_[0-9a-f]{64}$/);
    expect(
      $(`agentctl apikey create nobody --scope app --seal-to ck_${'0'.repeat(32)}`),
    ).toMatchObject({ status: 1, out: '' });
    expect(listed().map(({ id }) => id)).not.toContain('nobody');
  });

  it('changes one without a new secret', () => {
    expect(
      $(
        'agentctl apikey update deploy --scope reader --keyring ci --user nosuch-user --expires 2031-01-01T00:00:00Z',
      ),
    ).toMatchObject({
      status: 0,
      err: expect.stringMatching(
        /warning: .*there is no user "nosuch-user" here, so it allows nobody/,
      ) as string,
    });
    expect($('agentctl --api-key-file deploy.key --keyring ci status').status).toBe(4);
    expect($('agentctl apikey update deploy --any-user --any-keyring --no-expires').status).toBe(0);
    expect($('agentctl --api-key-file deploy.key status').status).toBe(0);
    expect($('agentctl --api-key-file deploy.key sign message').status).toBe(4);
    expect(listed().find(({ id }) => id === 'deploy')).toMatchObject({
      scope: 'reader',
      expires_at: null,
      allowed_users: null,
    });
  });

  it.each([
    ['create x', 2, /--scope/],
    ['create x --scope root', 2, /reader, app, admin/],
    ['create Big --scope app', 1, /^agentctl: id: must be/],
    [
      'create x --scope app --keyring ic',
      1,
      /there is no keyring "ic"; there are: default, ci, nightly/,
    ],
    [
      'create x --scope app --expires soon',
      2,
      /--expires: neither a duration .* nor an RFC 3339 time: soon/,
    ],
    ['create x --scope app --max-signatures 0', 2, /--max-signatures: not a whole number above 0/],
    ['create deploy --scope app', 1, /there is an API key "deploy" already/],
    ['update deploy', 2, /nothing was named that is to change/],
    ['update deploy --any-user --user ci', 2, /--user and --any-user exclude each other/],
    ['update none --note x', 1, /there is no API key "none"/],
    ['revoke deploy', 2, /there is no terminal; give --yes/],
    ['revoke none --yes', 1, /there is no API key "none"/],
  ])('apikey %s', (line, status, why) => {
    const before = listed();
    const refused = $(`agentctl apikey ${line}`);
    expect(refused).toMatchObject({ status, out: '' });
    expect(refused.err).toMatch(why);
    expect(listed()).toEqual(before);
  });

  it('revokes one that is in use', async () => {
    const client = connect(socket);
    await once(client, 'connect');
    const ask = async (method: string, params: object): Promise<unknown> => {
      client.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`);
      const [line] = (await once(client, 'data')) as [Buffer];
      return JSON.parse(line.toString());
    };
    const api_key = readFileSync(join(folder, 'deploy.key'), 'utf8').trim();
    expect(await ask('authenticate', { api_key })).toHaveProperty('result');
    expect(await ask('active_key_id', {})).toHaveProperty('result');
    expect($('agentctl apikey revoke deploy --yes').out).toMatch(/^revoked deploy /);
    expect(await ask('active_key_id', {})).toMatchObject({
      error: { data: { kind: 'unauthenticated' } },
    });
    client.destroy();
  });

  it('prints the fingerprint of the machine without an agent, where there is one', () => {
    const { status, out, err } = $('agentctl --socket /none apikey machine');
    if (status === 0) expect(out).toMatch(/^[0-9a-f]{64}\n$/);
    else
      expect({ status, out, err }).toMatchObject({
        status: 1,
        out: '',
        err: expect.stringContaining('machine-id') as string,
      });
  });

  it('has no secret in the log', () => {
    const log = JSON.stringify(daemon.log);
    for (const name of ['farm.key', 'deploy.key', 'sealed.key']) {
      expect(log).not.toContain(readFileSync(join(folder, name), 'utf8').trim().slice(-64));
    }
    expect(log).not.toMatch(/sa_[a-z-]+_[0-9a-f]{64}/);
  });
});

describe('where no agent answers', () => {
  it('refuses while one has the state dir, and names it', async () => {
    const refused = $(
      `agentctl --socket none.sock apikey create away --scope app --state-dir ${stateDir}`,
    );
    expect(refused).toMatchObject({ status: 1, out: '' });
    expect(refused.err).toContain(`process ${daemon.pid} runs an agent on ${stateDir}`);
    expect(refused.err).toContain('--socket');
    await daemon.stop();
  });

  it('works on the file, with the same rules and the same results', async () => {
    const at = `--state-dir ${stateDir} --config agent.toml`;
    const made = $(
      `agentctl --json apikey create away --scope app --keyring ci --out away.key ${at}`,
    );
    expect(made).toMatchObject({
      status: 0,
      err: `agentctl: no agent answers: working on ${stateDir}/api-keys.json itself\n`,
    });
    expect(JSON.parse(made.out)).toMatchObject({
      id: 'away',
      scope: 'app',
      allowed_keyrings: ['ci'],
    });
    expect($(`agentctl apikey create away --scope app ${at}`)).toMatchObject({
      status: 1,
      out: '',
    });
    expect($(`agentctl apikey create typo --scope app --keyring ic ${at}`).err).toMatch(
      /there is no keyring "ic"/,
    );
    expect(
      $(`agentctl apikey create x --scope app --seal-to ck_${'0'.repeat(32)} ${at}`).err,
    ).toMatch(/needs the agent/);
    expect($(`agentctl apikey update away --note gone ${at}`).status).toBe(0);
    expect($(`agentctl apikey list ${at}`).out).toMatch(/^away .* gone$/m);
    expect($(`agentctl apikey revoke sealed --yes ${at}`).status).toBe(0);
    await daemon.start('--config', join(folder, 'agent.toml'));
    expect($('agentctl --api-key-file away.key --keyring ci sign message').status).toBe(0);
    expect($('agentctl --api-key-file sealed.key sign message').status).toBe(4);
  });

  it('knows entries from before scopes existed, and what makes them keys', async () => {
    const path = join(stateDir, 'api-keys.json');
    const file = JSON.parse(readFileSync(path, 'utf8')) as { keys: Record<string, unknown>[] };
    for (const key of file.keys) if (key['id'] === 'away') delete key['scope'];
    writeFileSync(path, JSON.stringify(file));
    expect($('agentctl reload').status).toBe(0);
    expect($('agentctl --api-key-file away.key --keyring ci sign message').status).toBe(4);
    expect($('agentctl apikey list').out).toMatch(
      /^away is refused: it has no scope: agentctl apikey update away --scope app/m,
    );
    expect($(`agentctl doctor --state-dir ${stateDir}`).out).toMatch(
      /^warning .*API key away is refused: it has no scope/m,
    );
    expect($('agentctl apikey update away --scope app').status).toBe(0);
    expect($('agentctl --api-key-file away.key --keyring ci sign message').status).toBe(0);
    await daemon.stop();
  });

  it('starts no agent with a file that is refused: exit code 2', async () => {
    const path = join(stateDir, 'api-keys.json');
    const file = JSON.parse(readFileSync(path, 'utf8')) as { keys: unknown[] };
    writeFileSync(path, JSON.stringify({ version: 1, keys: [...file.keys, ...file.keys] }));
    const { code, err } = await daemon.refusedStart();
    expect(code).toBe(2);
    expect(err).toMatch(/api-keys\.json is refused: two entries have the id/);
    expect($(`agentctl doctor --state-dir ${stateDir}`).out).toMatch(
      /^failure +API keys .*two entries/m,
    );
  });
});

// Another user can be had only by root, which is who CI is.
describe.runIf(process.getuid?.() === 0)('a key for one user', () => {
  let user: OtherUser;
  const other = new Daemon();
  const open = '[socket]\nmode = "0666"\n[keyrings.default]\n[keyrings.ci]\n';
  beforeAll(async () => {
    user = new OtherUser();
    chmodSync(other.folder, 0o711);
    await other.start('--config', other.config(open));
  });
  afterAll(async () => {
    await other.remove();
    user.remove();
  });

  const make = async (id: string, ...flags: string[]): Promise<string> => {
    const made = await other.agentctl([
      '--json',
      'apikey',
      'create',
      id,
      '--scope',
      'app',
      ...flags,
    ]);
    return (JSON.parse(made.out) as { secret: string }).secret;
  };

  it('lets him do what it is for, and nobody else, root neither', async () => {
    const his = await make('his', '--user', user.name, '--keyring', 'ci');
    const roots = await make('roots', '--user', 'root');
    const client = user.connect(other.socket);
    const kindOf = async (method: string, params: object): Promise<string> =>
      (await client.call(method, params)).error?.data.kind ?? 'done';
    const message_b64 = '';
    expect(await kindOf('sign', { keyring: 'ci', message_b64 })).toBe('forbidden');
    expect(await kindOf('authenticate', { api_key: roots })).toBe('unauthenticated');
    expect(await kindOf('sign', { keyring: 'ci', message_b64 })).toBe('forbidden');
    expect(await kindOf('authenticate', { api_key: his })).toBe('done');
    expect(await kindOf('sign', { keyring: 'ci', message_b64 })).toBe('done');
    expect(await kindOf('sign', { message_b64 })).toBe('forbidden');
    expect(await kindOf('apikey_list', {})).toBe('forbidden');
    client.close();
    writeFileSync(join(other.folder, 'his.key'), his, { mode: 0o600 });
    const asRoot = ['--api-key-file', join(other.folder, 'his.key'), '--keyring', 'ci', 'sign'];
    expect(await other.agentctl(asRoot)).toMatchObject({ code: 4, out: '' });
  });
});
