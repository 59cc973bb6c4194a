import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agentctl, type Session, type Surroundings } from '../support/cli-session.ts';
import { FakeAgent, type FakeRequest } from '../support/fake-agent.ts';

const signature_b64 = Buffer.alloc(64, 7).toString('base64url');
const now = Date.parse('2026-05-14T18:20:00Z');
const key = {
  kid: '0a1b2c3d',
  public_key_b64: 'AAAA',
  state: 'active',
  created_at: '2026-05-13T18:20:00Z',
  valid_until: null,
  protection: 'software',
  object_id: null,
  attributes: null,
};
const old = { ...key, kid: '11111111', state: 'grace', valid_until: '2026-05-21T17:55:00Z' };
const rotation = {
  new_active_kid: '0a1b2c3d',
  new_active_public_key_b64: 'AAAA',
  previous_kid: '11111111',
  previous_grace_until: '2026-05-21T17:55:00Z',
};
const results: Readonly<Record<string, unknown>> = {
  sign: { kid: '0a1b2c3d', signature_b64 },
  verify: { valid: false, kid: null, reason: 'no \u001b key' },
  list_keys: { keys: [key, old] },
  rotate: rotation,
  status: {
    agent: { version: '0.1.0', pid: 1, started_at: '2026-05-14T17:20:00Z' },
    keyrings: [
      {
        ...{ name: 'default', backend: 'file', algorithm: 'ed25519', protection: 'software' },
        ...{ active_kid: '0a1b2c3d', key_counts: { active: 1 }, health: 'ok', last_error: null },
        ...{ rotation: null, next_rotation: null, next_change: null },
      },
      {
        ...{ name: 'ci', backend: 'file', algorithm: 'ed25519', protection: 'software' },
        ...{ active_kid: '0a1b2c3d', key_counts: { active: 1 }, health: 'ok' },
        last_error: { kind: 'locked', message: 'no PIN', at: '2026-05-14T18:19:15Z' },
        rotation: { every_seconds: 86_400, prepublish_seconds: 7200, grace_seconds: 43_200 },
        next_rotation: '2026-05-15T17:20:00Z',
        next_change: { what: 'prepare', at: '2026-05-15T15:20:00Z' },
      },
    ],
    connections: { open: 1, accepted: 1 },
    counters: { requests: 1, errors: 0, signatures: 0 },
  },
  prune_expired_grace: { pruned: 2 },
  prepare: { kid: '22222222', public_key_b64: 'AAAA', activates_at: null },
  revoke: { kid: '11111111', revoked_at: '2026-05-14T18:20:00Z' },
};

let agent: FakeAgent;
const dir = mkdtempSync(join(tmpdir(), 'cli-'));
beforeAll(async () => {
  agent = await FakeAgent.start((request, reply) => {
    const { keyring } = request.params;
    if (keyring === 'closed') reply.error(-32002, 'not yours', { kind: 'forbidden', needs: 'app' });
    else if (keyring === 'none') reply.error(-32009, 'no keyring none', { kind: 'not_found' });
    else reply.result(results[request.method]);
  });
});
afterEach(() => agent.requests.splice(0));
afterAll(async () => {
  await agent.remove();
  rmSync(dir, { recursive: true, force: true });
});

function run(line: string, surroundings: Surroundings = {}): Promise<Session> {
  return agentctl(['--socket', agent.path, ...line.split(' ')], { now, ...surroundings });
}
const asked = (): FakeRequest | undefined => agent.requests[0];

describe('agentctl sign', () => {
  it('signs stdin and prints base64', async () => {
    expect(await run('sign', { stdin: 'hello' })).toMatchObject({
      code: 0,
      out: `${signature_b64}\n`,
      err: '',
    });
    expect(asked()?.params).toEqual({ message_b64: 'aGVsbG8' });
    expect((await run('--keyring ci sign --kid 0a1b2c3d -', { stdin: '' })).code).toBe(0);
    expect(agent.requests[1]?.params).toEqual({ keyring: 'ci', kid: '0a1b2c3d', message_b64: '' });
  });

  it('prints what --format and --json say', async () => {
    expect((await run('sign --format raw')).bytes).toEqual(Buffer.alloc(64, 7));
    expect(JSON.parse((await run('sign --format json')).out)).toEqual(results['sign']);
    expect(JSON.parse((await run('sign --json')).out)).toEqual(results['sign']);
    expect(await run('sign --json --format raw')).toMatchObject({ code: 2, out: '' });
    expect((await run('sign --format hex')).err).toContain('Allowed choices are raw, b64, json, ');
    const terminal = await run('sign --format raw', { stdoutIsTerminal: true });
    expect(terminal).toMatchObject({ code: 2, out: '' });
    expect(terminal.err).toContain('xxd');
  });

  it('writes --out in one step and leaves nothing else behind', async () => {
    const out = join(dir, 'sig');
    writeFileSync(out, 'before');
    symlinkSync(out, join(dir, 'link'));
    expect(await run(`sign --out ${join(dir, 'link')}`)).toMatchObject({ code: 0, out: '' });
    expect(readFileSync(out)).toEqual(Buffer.alloc(64, 7));
    expect(statSync(out).mode & 0o777 & ~0o644).toBe(0);
    const session = await run(`--json sign --format b64 --out ${out}`);
    expect(JSON.parse(session.out)).toEqual(results['sign']);
    expect(readFileSync(out, 'utf8')).toBe(`${signature_b64}\n`);
    expect(readdirSync(dir).sort()).toEqual(['link', 'sig']);
  });

  it('fails by name where --out cannot be written', async () => {
    for (const out of [dir, join(dir, 'no', 'sig')]) {
      const session = await run(`sign --out ${out}`);
      expect(session.code).toBe(1);
      expect(session.err).toContain(`agentctl: cannot write ${out}: `);
    }
    expect((await run('sign --out /dev/null')).code).toBe(0);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it('refuses a message that no agent takes, and a file that is not there', async () => {
    const large = await run('sign', { stdin: Buffer.alloc(12 * 1024 * 1024) });
    expect(large.code).toBe(1);
    expect(large.err).toBe(
      'agentctl: stdin is longer than 12581888 bytes, the most that is read; ' +
        '--format sshsig signs files of any size\n',
    );
    expect((await run('sign /nonexistent')).code).toBe(2);
    expect((await run(`sign ${dir}`)).code).toBe(2);
    expect(agent.requests).toEqual([]);
  });
});

describe('agentctl keys', () => {
  it('lists every key', async () => {
    const lines = (await run('keys list')).out.split('\n');
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
      ['KID', 'STATE', 'CREATED', 'VALID UNTIL', 'PROTECTION'],
      ['0a1b2c3d', 'active', '1d ago (2026-05-13 18:20:00Z)', 'while it is active', 'software'],
      [
        '11111111',
        'grace',
        '1d ago (2026-05-13 18:20:00Z)',
        'in 6d 23h (2026-05-21 17:55:00Z)',
        'software',
      ],
      [''],
      ["software: the key can be copied by whoever controls this machine's token or file"],
      [''],
    ]);
    const columns = lines.slice(0, 3).map((line) => line.search(/PROTECTION|software/));
    expect(new Set(columns).size).toBe(1);
    expect(JSON.parse((await run('--json keys list')).out)).toEqual(results['list_keys']);
  });

  it('says what changes next by itself', async () => {
    const next_change = { what: 'activate', at: '2026-05-14T20:20:00Z' };
    const other = await FakeAgent.start((_request, reply) => {
      reply.result({ keys: [key, old], next_change });
    });
    try {
      const { out } = await agentctl(['--socket', other.path, 'keys', 'list'], { now });
      expect(out).toContain(
        '\nnext: the prepared key becomes active in 2h (2026-05-14 20:20:00Z)\n',
      );
    } finally {
      await other.remove();
    }
  });

  it('shows one', async () => {
    expect((await run('keys show 11111111')).out).toContain('state        grace\n');
    expect(JSON.parse((await run('keys show 11111111 --json')).out)).toEqual(old);
    expect(await run('keys show 99999999')).toMatchObject({
      code: 1,
      out: '',
      err: 'agentctl: no key 99999999; agentctl keys list shows all\n',
    });
  });

  it('rotates with the grace that is given, else that of the schedule, else seven days', async () => {
    expect((await run('keys rotate')).out).toContain('previous     11111111\n');
    expect((await run('--json keys rotate --grace 90s')).out).toBe(`${JSON.stringify(rotation)}\n`);
    const graces = () => agent.asked('rotate').map(({ params }) => params['grace_seconds']);
    expect(graces()).toEqual([604_800, 90]);
    expect(await run('keys rotate --grace 1w')).toMatchObject({ code: 2 });
    await run('--keyring ci keys rotate');
    expect(graces()).toEqual([604_800, 90, 43_200]);
  });

  it('prepares and prunes', async () => {
    expect((await run('keys prepare')).out).toBe(
      'prepared 22222222: to be active at the next rotation\n',
    );
    await run('keys prepare --activate-after 2h');
    expect(agent.requests.map(({ params }) => params)).toEqual([
      {},
      { activate_after_seconds: 7200 },
    ]);
    expect((await run('keys prune')).out).toBe('removed 2 keys\n');
  });

  it('revokes when it is confirmed', async () => {
    expect(await run('keys revoke 11111111')).toMatchObject({ code: 2, out: '' });
    for (const typed of ['n\n', '\n', '']) {
      const declined = await run('keys revoke 11111111', { typed });
      expect(declined.code).toBe(1);
      expect(declined.err).toContain('nothing was revoked');
    }
    expect(agent.requests).toEqual([]);
    const confirmed = await run('keys revoke 11111111', { typed: 'y\n' });
    expect(confirmed).toMatchObject({
      code: 0,
      out: 'revoked 11111111 now (2026-05-14 18:20:00Z)\n',
    });
    expect((await run('keys revoke 11111111 --yes --reason lost')).code).toBe(0);
    expect(agent.requests[1]?.params).toEqual({ kid: '11111111', reason: 'lost' });
  });
});

describe('agentctl status', () => {
  it('says how keyrings are rotated', async () => {
    const { out } = await run('status');
    const blocks = out.split(/\n(?=keyring )/).map((block) => block.split('\n'));
    const fact = (block: string[] | undefined, name: string): string | undefined =>
      block
        ?.find((line) => line.startsWith(`  ${name}  `))
        ?.slice(2 + name.length)
        .trim();
    expect(fact(blocks[1], 'rotation')).toBe('by hand');
    expect(fact(blocks[1], 'next change')).toBeUndefined();
    expect(fact(blocks[2], 'rotation')).toBe(
      'every 24h, grace 12h, next in 23h (2026-05-15 17:20:00Z)',
    );
    expect(fact(blocks[2], 'next change')).toBe(
      'the next key is prepared in 21h (2026-05-15 15:20:00Z)',
    );
    expect(fact(blocks[2], 'last error')).toBe('locked: no PIN, 45s ago (2026-05-14 18:19:15Z)');
  });
});

describe('agentctl verify', () => {
  it('asks the agent, and exits 5 with its reason made safe', async () => {
    const file = join(dir, 'verify.sig');
    writeFileSync(file, Buffer.alloc(64, 7));
    const session = await run(`verify --signature ${file}`, { stdin: 'm' });
    expect(session).toMatchObject({ code: 5, out: 'not valid: no \\u{1b} key\n', err: '' });
    expect(asked()?.params).toEqual({ message_b64: 'bQ', signature_b64 });
    const json = await run(`verify --json --signature ${file}`, { stdin: 'm' });
    expect(json.code).toBe(5);
    expect(JSON.parse(json.out)).toEqual(results['verify']);
  });
});

describe('failures', () => {
  it('have the documented exit codes', async () => {
    expect(await run('--keyring closed sign')).toMatchObject({
      code: 4,
      err: 'agentctl: not yours\n',
    });
    expect(await run('--keyring none sign')).toMatchObject({ code: 1 });
    const absent = await agentctl(['--socket', `${agent.path}.none`, 'status']);
    expect(absent.code).toBe(3);
    expect(absent.err).toContain('is signing-agent running?');
  });

  it('are JSON on stderr as well with --json', async () => {
    const { out, err } = await run('--json --keyring closed keys list');
    expect(out).toBe('');
    expect(err.split('\n')).toEqual([
      'agentctl: not yours',
      '{"error":{"needs":"app","kind":"forbidden","message":"not yours","exit_code":4}}',
      '',
    ]);
  });

  it.each([
    ['', 'no command was given'],
    ['sgn', "unknown command 'sgn' (Did you mean sign?)"],
    ['sign --ki x', "unknown option '--ki' (Did you mean --kid?)"],
    ['keys', 'no command was given'],
    ['keys shw', "unknown command 'shw' (Did you mean show?)"],
    ['keys show', "missing required argument 'kid'"],
    ['status extra', 'too many arguments'],
    ['completion tcsh', 'Allowed choices are bash, zsh, fish'],
    ['sign --api-key-flie x', 'unknown option'],
    ['status --api-key-file x', 'API key file x does not exist'],
  ])('of usage exit 2 with a hint: agentctl %s', async (line, hint) => {
    const session = await agentctl(line === '' ? [] : line.split(' '));
    expect(session).toMatchObject({ code: 2, out: '' });
    expect(session.err).toContain(`agentctl: `);
    expect(session.err).toContain(hint);
    expect(session.err).not.toContain('error:');
  });

  it('are none where help or the version is asked for', async () => {
    expect(await agentctl(['--version'])).toMatchObject({ code: 0, out: '0.1.0\n' });
    for (const line of ['--help', 'sign --help', 'keys --help', 'keys rotate -h', 'help verify']) {
      const session = await agentctl(line.split(' '));
      expect(session).toMatchObject({ code: 0, err: '' });
      expect(session.out).toContain('Examples:');
    }
  });
});

describe('an agent that answers nonsense', () => {
  const against = async (result: unknown, ...args: string[]): Promise<Session> => {
    const other = await FakeAgent.start((_request, reply) => {
      reply.result(result);
    });
    try {
      return await agentctl(['--socket', other.path, ...args], { stdin: 'a message' });
    } finally {
      await other.remove();
    }
  };

  it.each([{}, { kid: 'a', signature_b64: 'AA' }, { kid: 'a', signature_b64: 7 }])(
    'is not taken for a signature: %j',
    async (result) => {
      const { code, out, err } = await against(result, 'sign');
      expect([code, out, err]).toEqual([
        1,
        '',
        'agentctl: what the agent answered is no signature\n',
      ]);
    },
  );

  it.each([{}, { valid: 'yes', kid: null }, { valid: 1, kid: 'a' }, { valid: true, kid: null }])(
    'is not taken for valid: %j',
    async (result) => {
      const path = join(dir, 'signature');
      writeFileSync(path, Buffer.alloc(64, 7));
      const { code, out } = await against(result, 'verify', '--signature', path);
      expect([code, out]).toEqual([1, '']);
    },
  );
});
