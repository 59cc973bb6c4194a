import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLibc } from '../../src/native/libc.ts';
import { lockStateDir } from '../../src/files/state-dir-lock.ts';
import {
  auditKey,
  ChainMaker,
  fileBytes,
  sha256,
  wholeChain,
  type AuditKey,
} from '../support/hand-made-chain.ts';
import { agentctl, type Session } from '../support/cli-session.ts';

const root = mkdtempSync(join(tmpdir(), 'audit-cli-'));
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const key = auditKey();
const stranger = auditKey();
const now = Date.UTC(2026, 0, 2, 4, 0, 0);
const jwks = (...keys: AuditKey[]): string => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
const kept = join(root, 'kept.jwks');
writeFileSync(kept, jwks(key));

let dirs = 0;
interface Log {
  readonly stateDir: string;
  readonly paths: readonly string[];
}

/** A state dir with these audit files. */
function log(files: readonly (readonly string[] | Buffer)[], keys: string | null = jwks(key)): Log {
  const stateDir = join(root, `state-${dirs++}`);
  const dir = join(stateDir, 'audit');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (keys !== null) writeFileSync(join(dir, 'jwks.json'), keys);
  const paths = files.map((lines, at) => {
    const path = join(dir, `${String(at + 1).padStart(6, '0')}.jsonl`);
    writeFileSync(path, Buffer.isBuffer(lines) ? lines : fileBytes(lines), { mode: 0o600 });
    return path;
  });
  return { stateDir, paths };
}

const whole = wholeChain(key);
const good = log(whole.files);
const head = `14:${whole.prev}`;

const verify = (...args: string[]): Promise<Session> =>
  agentctl(['audit', 'verify', ...args], { now });
async function verdict(...args: string[]): Promise<Record<string, unknown>> {
  const { out } = await agentctl(['--json', 'audit', 'verify', ...args], { now });
  expect(out.split('\n')).toHaveLength(2);
  return JSON.parse(out) as Record<string, unknown>;
}

/** Runs while an agent's lock is held. */
async function whileLocked<T>(stateDir: string, run: () => Promise<T>): Promise<T> {
  const lock = lockStateDir(stateDir, openLibc());
  try {
    return await run();
  } finally {
    lock.release();
  }
}

describe('audit verify', () => {
  it('says what holds of the files of a state dir', async () => {
    const { code, out, err } = await verify('--state-dir', good.stateDir, '--jwks', kept);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(`chain           valid
records         14 in 3 files
first           record 1, 55m 55s ago (2026-01-02 03:04:05Z)
last            record 14, 55m 42s ago (2026-01-02 03:04:18Z)
signed by       ${key.kid}
signed through  record 14
keys from       ${kept}
head            ${head}

What is cut off at a signed record leaves a chain that holds. To see that too, keep the head
elsewhere, and next time give: --head ${head}
`);
  });

  it('has the same in JSON', async () => {
    expect(await verdict('--state-dir', good.stateDir, '--jwks', kept)).toEqual({
      valid: true,
      files: 3,
      records: 14,
      first_seq: 1,
      last_seq: 14,
      head: { seq: 14, time: '2026-01-02T03:04:18.000Z', hash: whole.prev },
      signed_through: 14,
      unsigned_tail: 0,
      signers: [key.kid],
      keys_from: kept,
      problems: [],
      problem_count: 0,
      warnings: [],
    });
  });

  it('finds the state dir in the configuration', async () => {
    const config = join(root, 'agent.toml');
    writeFileSync(config, `state_dir = ${JSON.stringify(good.stateDir)}\n`, { mode: 0o600 });
    expect((await verify('--config', config, '--jwks', kept)).code).toBe(0);
  });

  it('takes the keys beside the files, and says what that is worth', async () => {
    const { code, out } = await verify('--state-dir', good.stateDir);
    expect(code).toBe(0);
    expect(out).toContain(
      `warning: the keys come from ${join(good.stateDir, 'audit', 'jwks.json')}, the same place as the files`,
    );
  });

  it('takes files in the order in which they are given', async () => {
    const { code, out } = await verify(...good.paths);
    expect({ code, records: out.includes('14 in 3 files') }).toEqual({ code: 0, records: true });
    expect((await verify(...good.paths.slice(1), '--jwks', kept)).out).toContain(
      '8 in 2 files, from record 7 on: what was before is not here',
    );
    const backwards = await verify(...good.paths.toReversed(), '--jwks', kept);
    expect(backwards.code).toBe(5);
    expect(backwards.err).toContain('Files are taken in the order in which they are given');
    const twice = await verify(...good.paths, good.paths[2] ?? '', '--jwks', kept);
    expect(twice.code).toBe(5);
    expect(twice.err).toContain('seq is 12, expected 15: record 12 comes after record 14');
  });

  it('names the first bad record and the last good one', async () => {
    const [first = [], ...others] = whole.files;
    const edited = first.with(3, (first[3] ?? '').replace('"zoë"', '"eve"'));
    const { stateDir, paths } = log([edited, ...others]);
    const { code, out, err } = await verify('--state-dir', stateDir, '--jwks', kept);
    expect(code).toBe(5);
    expect(out).toMatch(/^chain +not valid\n/);
    expect(out).toMatch(/signed through +record 1; behind it, not vouched for: 13/);
    expect(err).toBe(
      `agentctl: the audit log does not verify: ${paths[0]}, line 4, record 4: its hash is ${sha256(edited[3] ?? '')}, ` +
        `but record 5 was written behind one with the hash ${sha256(first[3] ?? '')}: it was changed; the last good ` +
        `record is 3 (${paths[0]}, line 3, 2026-01-02T03:04:07.000Z), and those up to 1 are vouched for\n`,
    );
    expect(await verdict('--state-dir', stateDir, '--jwks', kept)).toMatchObject({
      valid: false,
      records: 14,
      head: { seq: 3 },
      signed_through: 1,
      problems: [{ file: paths[0], line: 4, seq: 4 }],
      problem_count: 1,
    });
  });

  it('says with --json on stderr what went wrong, too', async () => {
    const { stateDir } = log([['garbage']]);
    const { code, err } = await agentctl(['--json', 'audit', 'verify', '--state-dir', stateDir]);
    expect(code).toBe(5);
    expect(JSON.parse(err.split('\n')[1] ?? '')).toMatchObject({
      error: { kind: 'not_verified', exit_code: 5 },
    });
  });

  it('escapes what files say', async () => {
    const { err } = await verify(...log([['\u001b[31m']]).paths);
    expect(err).not.toContain('\u001b');
  });

  it('needs a head that it is given', async () => {
    const { stateDir } = good;
    expect((await verify('--state-dir', stateDir, '--head', head)).code).toBe(0);
    const cut = log([...whole.files.slice(0, 2)]);
    expect((await verify('--state-dir', cut.stateDir)).code).toBe(0);
    const { code, err } = await verify('--state-dir', cut.stateDir, '--head', head);
    expect(code).toBe(5);
    expect(err).toContain('record 14 was there once, but this is the last one');
  });

  describe('and the end', () => {
    const maker = new ChainMaker(key).event('started').operation();
    const killed = log(maker.files);
    const torn = log([Buffer.concat([fileBytes(maker.files[0] ?? []), Buffer.from('{"v":1,')])]);

    it('that is not signed is an end that may have been cut off', async () => {
      const { code, err } = await verify('--state-dir', killed.stateDir);
      expect(code).toBe(5);
      expect(err).toContain(
        'ends with 1 record after the last signed one, 1: the agent was killed',
      );
      const open = await verify('--state-dir', killed.stateDir, '--open');
      expect(open.code).toBe(0);
      expect(open.out).toContain('record 1; behind it, chained, and not signed yet: 1');
    });

    it('is written on by an agent that runs', async () => {
      const { stateDir, paths } = killed;
      await whileLocked(stateDir, async () => {
        const { code, out } = await verify('--state-dir', stateDir);
        expect({ code, says: /agent +runs, and writes on/.test(out) }).toEqual({
          code: 0,
          says: true,
        });
        // Of files that are named it is not known whose they are.
        expect((await verify(...paths)).code).toBe(5);
      });
    });

    it('may be torn while an agent writes it', async () => {
      const { stateDir } = torn;
      const { code, err } = await verify('--state-dir', stateDir);
      expect(code).toBe(5);
      expect(err).toContain('line 3: the last line is torn: 7 bytes without a newline');
      const running = await whileLocked(stateDir, () => verdict('--state-dir', stateDir));
      expect(running).toMatchObject({ valid: true, records: 2, unsigned_tail: 1 });
      expect(running['warnings']).toContainEqual(expect.stringContaining('torn: 7 bytes'));
    });

    it('may be torn in the newest file alone', async () => {
      const [first = [], second = []] = whole.files;
      const { stateDir } = log([fileBytes(first).subarray(0, -1), second]);
      const { code, err } = await verify('--state-dir', stateDir, '--open');
      expect(code).toBe(5);
      expect(err).toContain('000001.jsonl, line 6: the last line is torn');
    });

    it('may be an empty file', async () => {
      const { stateDir } = log([...whole.files.slice(0, 2), []]);
      const { code, out } = await verify('--state-dir', stateDir);
      expect(code).toBe(0);
      expect(out).toContain('warning: the last file was closed when it was full');
    });

    it('is not all there is', async () => {
      const { stateDir } = log([[]]);
      const { code, err } = await verify('--state-dir', stateDir, '--open');
      expect({ code, err: err.includes('there is no record') }).toEqual({ code: 5, err: true });
    });
  });

  it('refuses a line without end, and holds none of it', async () => {
    const huge = Buffer.alloc(64 * 1024 * 1024, 0x20);
    const { stateDir } = log([huge]);
    const { code, err } = await verify('--state-dir', stateDir, '--open');
    expect(code).toBe(5);
    expect(err).toContain('line 1: the line has more than 1048576 bytes');
  });

  it('reads its files beyond one chunk, and binary ones', async () => {
    const maker = new ChainMaker(key).event('started');
    for (let count = 0; count < 2000; count++) maker.operation({ reason: 'x'.repeat(count) });
    const { stateDir, paths } = log(maker.event('stopped').files);
    expect(await verdict('--state-dir', stateDir)).toMatchObject({ valid: true, records: 2002 });
    writeFileSync(paths[0] ?? '', Buffer.from(Array.from({ length: 3000 }, (_, at) => at % 256)));
    const { code, err } = await verify('--state-dir', stateDir);
    expect(code).toBe(5);
    expect(err).toContain('line 1: the line is not');
  });

  it('reads what another program unpacks into a pipe', async () => {
    const pipe = join(root, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const writer = spawn('sh', ['-c', 'cat "$0" > "$1"', good.paths[0] ?? '', pipe]);
    const ended = once(writer, 'exit');
    const { code, out } = await verify(pipe, ...good.paths.slice(1), '--jwks', kept);
    await ended;
    expect({ code, all: out.includes('14 in 3 files') }).toEqual({ code: 0, all: true });
  });

  it('says whose user can read what this one may not', async () => {
    const { stateDir, paths } = log(whole.files);
    chmodSync(join(stateDir, 'audit'), 0);
    const asRoot = process.geteuid?.() === 0;
    if (asRoot) process.seteuid?.(65_534);
    try {
      for (const args of [['--state-dir', stateDir], paths]) {
        const { code, err } = await verify(...args);
        expect(code).toBe(args === paths ? 2 : 1);
        expect(err).toContain("run this as the agent's user");
      }
    } finally {
      if (asRoot) process.seteuid?.(0);
      chmodSync(join(stateDir, 'audit'), 0o700);
    }
  });

  describe('and the keys', () => {
    it('have to be the right ones', async () => {
      const others = join(root, 'others.jwks');
      writeFileSync(others, jwks(stranger));
      const { code, err } = await verify('--state-dir', good.stateDir, '--jwks', others);
      expect(code).toBe(5);
      expect(err).toContain(`record 1: it is signed by ${key.kid}, which is none of the keys`);
    });

    it('may not bear the name of another', async () => {
      const posing = { ...stranger.jwk, kid: key.kid };
      const { stateDir } = log(whole.files, JSON.stringify({ keys: [posing] }));
      const { code, out } = await verify('--state-dir', stateDir);
      expect(code).toBe(5);
      expect(out).toContain(`key 1 is said to be ${key.kid}, but is ${stranger.kid}`);
    });

    it('may stand among others', async () => {
      const mixed = join(root, 'mixed.jwks');
      const es256 = auditKey('es256');
      const rsa = { kty: 'RSA', n: 'AQAB', e: 'AQAB' };
      writeFileSync(mixed, JSON.stringify({ keys: [rsa, es256.jwk, { ...key.jwk, kid: 'k1' }] }));
      expect(await verdict('--state-dir', good.stateDir, '--jwks', mixed)).toMatchObject({
        valid: true,
        warnings: [],
      });
    });

    it('that cannot be used are passed over, and that is said', async () => {
      const mixed = join(root, 'unusable.jwks');
      const small = { ...key.jwk, x: Buffer.alloc(32).toString('base64url') };
      const others = [{ ...stranger.jwk, key_ops: ['sign'] }, small, null];
      writeFileSync(mixed, JSON.stringify({ keys: [...others, key.jwk] }));
      expect(await verdict('--state-dir', good.stateDir, '--jwks', mixed)).toMatchObject({
        valid: true,
        warnings: [
          `${mixed}: key 1 is passed over: a JWK that is not for verifying ("key_ops")`,
          `${mixed}: key 3 is passed over: not a JWK`,
          `${mixed}: key 2 is passed over: not an acceptable ed25519 point`,
        ],
      });
    });

    const badSets: [string, string, string][] = [
      ['no JSON', 'x', 'not a JWK Set'],
      ['no set', JSON.stringify(key.jwk), 'not a JWK Set'],
      ['an empty set', '{"keys":[]}', 'has no Ed25519 or P-256 key'],
      ['a private key', JSON.stringify({ keys: [{ ...key.jwk, d: 'AA' }] }), 'PRIVATE'],
      [
        'a point of small order',
        JSON.stringify({ keys: [{ ...key.jwk, x: Buffer.alloc(32).toString('base64url') }] }),
        'not an acceptable ed25519 point',
      ],
    ];
    it.each(badSets)('are not %s', async (_, text, message) => {
      const file = join(root, 'bad.jwks');
      writeFileSync(file, text);
      const { code, err } = await verify('--state-dir', good.stateDir, '--jwks', file);
      expect(code).toBe(2);
      expect(err).toContain(message);
    });

    it('are asked for where there are none', async () => {
      const { stateDir } = log(whole.files, null);
      const { code, err } = await verify('--state-dir', stateDir);
      expect({ code, err: err.includes('give them with --jwks') }).toEqual({ code: 2, err: true });
    });
  });

  const usage: [string, string[], number, string][] = [
    ['a head of another form', ['--head', '14'], 2, '--head: not SEQ:HASH'],
    ['a file that is missing', [join(root, 'none.jsonl')], 2, 'none.jsonl'],
    ['a directory', [root], 2, 'is a directory'],
    ['a state dir without a log', ['--state-dir', root], 1, 'there is no audit log at'],
    ['files and a state dir', [good.paths[0] ?? '', '--state-dir', root], 2, 'not both'],
    ['a missing configuration', ['--config', join(root, 'none.toml')], 2, 'none.toml'],
  ];
  it.each(usage)('refuses %s', async (_, args, code, message) => {
    const session = await verify(...args);
    expect({ code: session.code, out: session.out }).toEqual({ code, out: '' });
    expect(session.err).toContain(message);
  });

  it('does not take a directory without files for a log', async () => {
    const { stateDir } = log([]);
    const { code, err } = await verify('--state-dir', stateDir);
    expect({ code, err: err.includes('has no audit files') }).toEqual({ code: 1, err: true });
  });

  it('names files that have no name of the log', async () => {
    const { stateDir } = log(whole.files);
    writeFileSync(join(stateDir, 'audit', 'copy.jsonl'), 'x');
    const { warnings } = await verdict('--state-dir', stateDir, '--jwks', kept);
    expect(warnings).toEqual([expect.stringContaining('copy.jsonl has no name of an audit file')]);
  });
});

describe('audit show', () => {
  const maker = new ChainMaker(key)
    .event('started')
    .operation()
    .operation({ user: null, api_key: 'build-farm', kid: '11112222', keyring: 'ci' })
    .operation({
      uid: 0,
      user: 'root\u001b[31m',
      method: 'revoke',
      outcome: 'refused',
      kind: 'forbidden',
      reason: 'two\nlines',
      repeated: 3,
    });
  maker.time += 3_000_000;
  maker.operation({
    uid: null,
    pid: null,
    user: null,
    scope: null,
    method: 'rotate',
    message_sha256: [],
  });
  const { stateDir, paths } = log(maker.files);
  const show = (...args: string[]): Promise<Session> =>
    agentctl(['audit', 'show', '--state-dir', stateDir, ...args], { now });
  async function shown(...args: string[]): Promise<number[]> {
    const { code, out, err } = await show('--json', ...args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.endsWith('\n') && out.indexOf('\n') === out.length - 1).toBe(true);
    return (JSON.parse(out) as { seq: number }[]).map(({ seq }) => seq);
  }

  it('is a table for people, with nothing in it that a terminal obeys', async () => {
    const { code, out, err } = await show();
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const lines = out.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '));
    expect(lines).toEqual([
      'SEQ | TIME | WHO | METHOD | KEYRING | KID | OUTCOME | WHY',
      '1 | 55m 55s ago (2026-01-02 03:04:05Z) | the agent | (started) | - | - | - | -',
      '2 | 55m 54s ago (2026-01-02 03:04:06Z) | ci (1000) | sign | default | 0a1b2c3d | done | -',
      '3 | 55m 53s ago (2026-01-02 03:04:07Z) | build-farm, uid 1000 | sign | ci | 11112222 | done | -',
      '4 | 55m 52s ago (2026-01-02 03:04:08Z) | root\\u{1b}[31m (0) | revoke | default | 0a1b2c3d | refused | ' +
        'forbidden; two\\nlines; and 3 more',
      '5 | 5m 51s ago (2026-01-02 03:54:09Z) | the agent | rotate | default | 0a1b2c3d | done | -',
      '',
    ]);
  });

  it('has the records as they are in JSON', async () => {
    const { out } = await show('--json');
    expect(JSON.parse(out)).toEqual(maker.files[0]?.map((line) => JSON.parse(line) as unknown));
  });

  const filters: [string[], number[]][] = [
    [['--since', '10m'], [5]],
    [
      ['--since', '2026-01-02T03:04:07Z'],
      [3, 4, 5],
    ],
    [
      ['--since', '2026-01-02T04:04:07+01:00'],
      [3, 4, 5],
    ],
    [
      ['--until', '2026-01-02T03:04:06Z'],
      [1, 2],
    ],
    [
      ['--since', '1h', '--until', '10m'],
      [1, 2, 3, 4],
    ],
    [['--kid', '11112222'], [3]],
    [['--principal', 'ci'], [2]],
    [
      ['--principal', '1000'],
      [2, 3],
    ],
    [['--principal', 'build-farm'], [3]],
    [['--principal', '0'], [4]],
    [['--method', 'rotate'], [5]],
    [['--outcome', 'refused'], [4]],
    [['--keyring', 'ci'], [3]],
    [
      ['--keyring', 'ci', '--keyring', 'default'],
      [2, 3, 4, 5],
    ],
    [
      ['--limit', '2'],
      [4, 5],
    ],
    [
      ['--limit', '100'],
      [1, 2, 3, 4, 5],
    ],
    [['--outcome', 'done', '--limit', '1'], [5]],
    [['--method', 'none'], []],
  ];
  it.each(filters)('%s', async (args, seqs) => {
    expect(await shown(...args)).toEqual(seqs);
  });

  it('says that there is nothing', async () => {
    expect((await show('--method', 'none')).out).toBe('no record\n');
  });

  it('shows files that are named, in long tables too', async () => {
    const long = new ChainMaker(key).event('started');
    for (let count = 0; count < 1200; count++) long.operation();
    const file = log(long.files).paths[0] ?? '';
    const { out } = await agentctl(['audit', 'show', file, ...paths], { now });
    expect(out.split('\n').filter((line) => /^\d/.test(line))).toHaveLength(1206);
    const { out: json } = await agentctl(['audit', 'show', file, '--json', '--limit', '1100']);
    expect((JSON.parse(json) as { seq: number }[]).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 1100 }, (_, at) => at + 102),
    );
  });

  it('shows the rest where a line is no record, and names that', async () => {
    const [first = []] = maker.files;
    const broken = log([first.with(1, 'garbage').with(2, 'garbage')]);
    const { code, out, err } = await agentctl(['audit', 'show', '--json', ...broken.paths]);
    expect(code).toBe(1);
    expect((JSON.parse(out) as { seq: number }[]).map(({ seq }) => seq)).toEqual([1, 4, 5]);
    expect(err).toContain(`${broken.paths[0]}, line 2: the line is not a JSON object`);
  });

  it('passes over a line that an agent is writing', async () => {
    const torn = log([Buffer.concat([fileBytes(maker.files[0] ?? []), Buffer.from('{"v":')])]);
    const args = ['audit', 'show', '--state-dir', torn.stateDir];
    expect((await agentctl(args)).err).toContain('line 6: 5 bytes without a newline');
    const running = await whileLocked(torn.stateDir, () => agentctl(args));
    expect(running).toMatchObject({ code: 0, err: '' });
  });

  const usage: [string[], string][] = [
    [['--since', 'yesterday'], '--since: neither how long ago'],
    [['--until', '2026-02-30T00:00:00Z'], '--until: neither how long ago'],
    [['--kid', 'x'], '--kid: not a key id'],
    [['--limit', '0'], '--limit: not a number'],
    [['--limit', '1e9'], '--limit: not a number'],
    [['--outcome', 'well'], 'begun, done, refused, failed'],
  ];
  it.each(usage)('refuses %s', async (args, message) => {
    const { code, out, err } = await show(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});
