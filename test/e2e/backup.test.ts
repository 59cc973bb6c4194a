import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClientKeyView } from '../../src/api/client-keys.ts';
import { Daemon } from '../support/daemon.ts';
import { opensslVerifies } from '../support/openssl.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

const program = fileURLToPath(new URL('../../dist/bin/agentctl.js', import.meta.url));

let token: SoftHsmToken;
let daemon: Daemon;
let config: string;

/** A command line as it is typed, in the folder of the agent, whose socket is in the environment. */
function $(line: string): { status: number | null; out: string; err: string } {
  const shell = `agentctl() { "${process.execPath}" "${program}" "$@"; }; ${line}`;
  const env = { ...process.env, ...token.environment, SIGNING_AGENT_SOCK: daemon.socket };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', shell], { cwd: daemon.folder, env });
  return { status, out: stdout.toString(), err: stderr.toString() };
}

interface Key {
  readonly kid: string;
  readonly public_key_b64: string;
  readonly state: string;
}

function listedKeys(): readonly Key[] {
  return (JSON.parse($('agentctl --json keys list').out) as { keys: Key[] }).keys;
}
function active(): string {
  return listedKeys().find(({ state }) => state === 'active')?.kid ?? '';
}
function inFolder(name: string): string {
  return join(daemon.folder, name);
}
const keystore = (): string => join(daemon.stateDir, 'keyrings', 'default.json');
/** Whether a signature of the agent's verifies against what the age file's own keystore says. */
function signsWith(kid: string): boolean {
  const { public_key_b64 = '' } = listedKeys().find((key) => key.kid === kid) ?? {};
  const signed = JSON.parse($(`echo -n hello | agentctl sign --format json --kid ${kid}`).out) as {
    signature_b64: string;
  };
  const signature = Buffer.from(signed.signature_b64, 'base64url');
  return opensslVerifies(Buffer.from('hello'), signature, public_key_b64);
}

beforeAll(async () => {
  token = await makeToken('prod');
  daemon = new Daemon(token.environment);
  config = daemon.config(
    `[keyrings.default]\n[keyrings.prod]\nbackend = "pkcs11"\nuri = "${token.uri}"\n`,
  );
  await daemon.start('--config', config);
});
afterAll(async () => {
  await daemon.remove();
  await token.remove();
});

describe('client keys at a terminal', () => {
  it('are registered from an age recipient, a file or a pipe', () => {
    expect($('age-keygen -o one.txt && age-keygen -o two.txt').status).toBe(0);
    const one = $('age-keygen -y one.txt | agentctl clientkey register - --label "off site"');
    expect(one).toMatchObject({ status: 0, err: '' });
    expect(one.out).toMatch(/^registered ck_[0-9a-f]{32} for \S+ \(uid \d+\)\n$/);
    $('(echo "# a comment"; age-keygen -y two.txt) > two.pub');
    expect($('agentctl clientkey register two.pub').status).toBe(0);
    expect($('agentctl clientkey register "$(age-keygen -y one.txt)"')).toMatchObject({
      status: 1,
      err: expect.stringMatching(/registered already, as ck_/) as string,
    });
    const listed = $('agentctl clientkey list').out.trimEnd().split('\n');
    expect(listed[0]).toMatch(/^ID +OWNER +LABEL +LAST USED$/);
    expect(listed).toHaveLength(3);
    expect(listed[1]).toMatch(/^ck_[0-9a-f]{32} .* - +never$/);
    expect(listed[2]).toMatch(/^ck_[0-9a-f]{32} .* off site +never$/);
  });

  it('are shown as age writes them, and revoked after a question', () => {
    const { keys } = JSON.parse($('agentctl --json clientkey list').out) as {
      keys: ClientKeyView[];
    };
    const first = keys.at(-1); // the newest stand before it
    const recipient = $('age-keygen -y one.txt').out.trim();
    expect(first?.recipient).toBe(recipient);
    expect($(`agentctl clientkey show ${first?.id ?? ''}`).out).toMatch(
      new RegExp(`^recipient +${recipient}$`, 'm'),
    );
    $('age-keygen -o three.txt; age-keygen -y three.txt > three.pub');
    const made = /ck_\w+/.exec($('agentctl clientkey register three.pub').out)?.[0] ?? '';
    expect($(`agentctl clientkey revoke ${made} < /dev/null`)).toMatchObject({
      status: 2,
      err: expect.stringMatching(/give --yes/) as string,
    });
    expect($(`agentctl clientkey revoke ${made} --yes`).out).toMatch(`revoked ${made} `);
    expect($('agentctl clientkey list').out).not.toContain(made);
    expect($('agentctl clientkey list --all').out).toMatch(new RegExp(`^${made} .* revoked `, 'm'));
    expect($(`agentctl backup --to ${made}`)).toMatchObject({
      status: 1,
      out: '',
      err: expect.stringMatching(/was revoked at .*: name another one/) as string,
    });
  });

  it('are never private ones', () => {
    const secret = /AGE-SECRET-KEY-1\w+/.exec(readFileSync(inFolder('one.txt'), 'utf8'))?.[0] ?? '';
    const lines = [
      'agentctl clientkey register one.txt',
      'agentctl clientkey register - < one.txt',
      'agentctl clientkey register "$(grep AGE-SECRET one.txt)"',
    ];
    for (const line of lines) {
      const session = $(line);
      expect(session, line).toMatchObject({ status: 2, out: '' });
      expect(session.err, line).toMatch(/private key.*age-keygen -y/);
      expect(session.err, line).not.toContain(secret.slice(16, 40));
    }
    expect($('agentctl clientkey register age1yubikey1qqqq')).toMatchObject({
      status: 2,
      err: expect.stringMatching(/plugin yubikey/) as string,
    });
    expect($('agentctl clientkey register two.pub --actor root').err).toMatch(
      /user:NAME or api_key:ID/,
    );
  });
});

describe('a backup', () => {
  it('is what the age program opens, with any of the identities', () => {
    const ids =
      $('agentctl --json clientkey list')
        .out.match(/ck_[0-9a-f]{32}/g)
        ?.join(',') ?? '';
    const made = $(`agentctl backup --to ${ids} --out b.age`);
    expect(made).toMatchObject({ status: 0, err: '' });
    expect(made.out).toBe(
      `1 key of keyring default backed up to b.age, for ${ids.replace(',', ', ')}\n`,
    );
    expect(statSync(inFolder('b.age')).mode & 0o777).toBe(0o600);
    const document = readFileSync(keystore(), 'utf8');
    for (const identity of ['one.txt', 'two.txt']) {
      expect($(`age -d -i ${identity} b.age`)).toEqual({ status: 0, out: document, err: '' });
      expect($(`agentctl backup --to ${ids} | age -d -i ${identity}`).out).toBe(document);
    }
    expect($('age -d -i three.txt b.age').status).toBe(1);
    expect($('agentctl clientkey list').out).not.toMatch(/never$/m);
    const seed = (JSON.parse(document) as { keys: { seed_b64: string }[] }).keys[0]?.seed_b64 ?? '';
    expect(readFileSync(inFolder('b.age'), 'latin1')).not.toContain(seed);
    expect(JSON.stringify(daemon.log)).not.toContain(seed);
  });

  it('goes over no file unless it is told to', () => {
    const before = readFileSync(inFolder('b.age'));
    const id = $('agentctl --json clientkey list').out.match(/ck_[0-9a-f]{32}/)?.[0] ?? '';
    expect($(`agentctl backup --to ${id} --out b.age`)).toMatchObject({
      status: 1,
      err: 'agentctl: b.age is there already, and was not touched: --force replaces it\n',
    });
    expect(readFileSync(inFolder('b.age'))).toEqual(before);
    expect(
      $(`cp b.age o.age; chmod 644 o.age; agentctl backup --to ${id} --out o.age --force`).status,
    ).toBe(0);
    expect(statSync(inFolder('o.age')).mode & 0o777).toBe(0o600);
    expect($(`agentctl backup --to ${id} --out /dev/null --force`).status).toBe(1);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    expect(readdirSync(daemon.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is refused for a keyring in a token, and for a key that is none', () => {
    const id = $('agentctl --json clientkey list').out.match(/ck_[0-9a-f]{32}/)?.[0] ?? '';
    expect($(`agentctl --json --keyring prod backup --to ${id}`)).toMatchObject({
      status: 1,
      out: '',
      err: expect.stringContaining('"kind":"not_supported"') as string,
    });
    expect($('agentctl backup --to ck_1').err).toMatch(/to\.0: must be ck_ and 32/);
    expect($('agentctl backup').status).toBe(2);
  });
});

describe('a restore, while the agent runs', () => {
  it('replaces nothing by itself, and says what it would change', () => {
    const backedUp = active();
    expect($('agentctl keys rotate --grace 1h').status).toBe(0);
    const since = active();
    const before = readFileSync(keystore());
    expect($('agentctl restore b.age --identity one.txt')).toMatchObject({
      status: 1,
      out: '',
      err: expect.stringMatching(
        `is there already.*With --replace .*would be gone: ${since}`,
      ) as string,
    });
    expect(readFileSync(keystore())).toEqual(before);
    expect($(`agentctl keys revoke ${backedUp} --yes`).status).toBe(0);
    expect($('agentctl restore b.age --identity one.txt').err).toMatch(
      `would come back: ${backedUp}; would be gone: ${since}; would be valid again although revoked since: ${backedUp}`,
    );
  });

  it('puts the keys back, keeps what was there, and the agent signs with them at once', () => {
    const before = { active: active(), bytes: readFileSync(keystore()) };
    const session = $('agentctl --json restore b.age --identity two.txt --replace');
    expect(session.status).toBe(0);
    const result = JSON.parse(session.out) as { active_kid: string; previous_file: string };
    expect(session.err).toBe(
      `agentctl: warning: key ${result.active_kid} was revoked after the backup was made, and is as valid again as it was then\n`,
    );
    expect(result).toMatchObject({ previous_active_kid: before.active, leaving: [before.active] });
    expect(active()).toBe(result.active_kid);
    expect(signsWith(result.active_kid)).toBe(true);
    expect($(`echo x | agentctl sign --kid ${before.active}`).status).toBe(1);
    expect(readFileSync(result.previous_file)).toEqual(before.bytes);
    expect(statSync(result.previous_file).mode & 0o777).toBe(0o600);
  });

  it('takes what the age program has made, binary, from stdin', () => {
    $('age -d -i one.txt b.age | age -r "$(age-keygen -y one.txt)" > binary.age');
    const session = $('agentctl restore - --identity one.txt --replace < binary.age');
    expect(session).toMatchObject({ status: 0, err: '' });
    expect(session.out).toMatch(
      /^restored keyring default\nfile +\S+default\.json\nactive +[0-9a-f]{8}\nbefore +kept as/,
    );
    expect($('agentctl restore b.age --identity <(cat two.txt) --replace').status).toBe(0);
  });

  it('changes nothing where something is not right', () => {
    const before = readFileSync(keystore());
    $('head -c 400 b.age > cut.age; head -c 250 binary.age > cut.bin; echo no age file > text');
    $('sed "s/^age-encryption/age-incryption/" binary.age > changed.age');
    $('cp one.txt open.txt; chmod 644 open.txt; echo "# nothing" > empty.txt; chmod 600 empty.txt');
    $(
      'age -d -i one.txt b.age | sed \'s/"id": "......../"id": "00000000/; s/"active": "......../"active": "00000000/\' | age -a -r "$(age-keygen -y one.txt)" > kid.age',
    );
    $(
      'age -d -i one.txt b.age | sed \'s/"version": 1/"version": 9/\' | age -a -r "$(age-keygen -y one.txt)" > version.age',
    );
    const refused: [string, number, RegExp][] = [
      [
        'b.age --identity three.txt',
        1,
        /no identity of three\.txt opens b\.age: it was made for other keys/,
      ],
      ['cut.age --identity one.txt', 1, /cut\.age is no whole age file .*damaged or cut short/],
      ['cut.bin --identity one.txt', 1, /cut\.bin is no whole age file/],
      ['changed.age --identity one.txt', 1, /changed\.age is no whole age file/],
      ['text --identity one.txt', 1, /text is no whole age file/],
      ['kid.age --identity one.txt', 1, /the seed of key 00000000 is the seed of key/],
      ['version.age --identity one.txt', 1, /version: /],
      ['none.age --identity one.txt', 2, /cannot read none\.age/],
      ['b.age --identity none.txt', 2, /identity file none\.txt does not exist/],
      [
        'b.age --identity open.txt',
        2,
        /open\.txt has mode 0644, so others can reach it; chmod 0600/,
      ],
      ['b.age --identity empty.txt', 2, /empty\.txt has no age identity/],
      ['b.age --identity b.age', 2, /b\.age, line 1, is an encrypted identity file/],
      ['b.age', 2, /--identity/],
    ];
    for (const [line, status, why] of refused) {
      const session = $(`agentctl restore ${line} --replace`);
      expect(session, line).toMatchObject({ status, out: '' });
      expect(session.err, line).toMatch(why);
      expect(session.err, line).not.toMatch(/AGE-SECRET-KEY-1\w/);
    }
    expect(readFileSync(keystore())).toEqual(before);
    expect(
      $('agentctl --json --keyring prod restore b.age --identity one.txt --replace'),
    ).toMatchObject({
      status: 1,
      err: expect.stringContaining('"kind":"not_supported"') as string,
    });
  });

  it('leaves no seed in the log', () => {
    const { keys } = JSON.parse(readFileSync(keystore(), 'utf8')) as {
      keys: { seed_b64: string }[];
    };
    expect(keys.length).toBeGreaterThan(0);
    for (const { seed_b64 } of keys) expect(JSON.stringify(daemon.log)).not.toContain(seed_b64);
  });
});

describe('a restore, while no agent runs', () => {
  const offline = 'agentctl restore b.age --identity one.txt --config agent.toml --state-dir state';

  it('is refused where an agent has the state dir and another socket was tried', () => {
    expect($(`${offline} --replace --socket nothing.sock`)).toMatchObject({
      status: 1,
      out: '',
      err: expect.stringMatching(/an agent has .*state, and none answers at the socket/) as string,
    });
  });

  it('writes the file itself, which the next agent starts with', async () => {
    const lost = active();
    expect(await daemon.stop()).toBe(0);
    expect($(offline)).toMatchObject({
      status: 1,
      err: expect.stringMatching(/is there already/) as string,
    });
    rmSync(keystore());
    const session = $(offline);
    expect(session).toMatchObject({ status: 0, err: '' });
    expect(session.out).toMatch(/^back +[0-9a-f]{8}$/m);
    expect(statSync(keystore()).mode & 0o777).toBe(0o600);
    await daemon.start('--config', config);
    expect(active()).toBe(lost);
    expect(signsWith(lost)).toBe(true);
    expect($('agentctl clientkey list').out.trimEnd().split('\n')).toHaveLength(3);
  });

  it('knows keyrings in a token, and keyrings that are none', async () => {
    await daemon.stop();
    expect($(`${offline} --json --keyring prod`).err).toContain('"kind":"not_supported"');
    expect($(`${offline} --json --keyring nope`).err).toContain('"kind":"not_found"');
  });
});

describe('a damaged agent.db', () => {
  it('ends the start with 2 and is left alone; given up knowingly, the agent starts without client keys', async () => {
    const database = join(daemon.stateDir, 'agent.db');
    writeFileSync(database, 'not a database\n'.repeat(300));
    chmodSync(database, 0o600);
    const before = readFileSync(database);
    const ended = await daemon.refusedStart('--config', config);
    expect(ended.code).toBe(2);
    expect(ended.err).toMatch(
      /agent\.db is damaged \(or no database.*\): it was left alone; put back a copy/,
    );
    expect(readFileSync(database)).toEqual(before);
    for (const name of ['', '-wal', '-shm']) rmSync(`${database}${name}`, { force: true });
    const gone = await daemon.refusedStart('--config', config);
    expect(gone.code).toBe(2);
    expect(gone.err).toContain('agentctl reconcile --forget database --apply');
    const flags = `--config ${config} --state-dir ${daemon.stateDir}`;
    expect($(`agentctl reconcile --forget database --apply ${flags}`).status).toBe(0);
    await daemon.start('--config', config);
    expect($('agentctl clientkey list').out).toBe('no client keys\n');
    expect(existsSync(database)).toBe(false);
  });
});
