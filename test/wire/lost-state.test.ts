import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentClient } from '../../src/client/agent-client.ts';
import { connect } from '../../src/client/connect.ts';
import { verdictOf } from '../support/audit-chain.ts';
import { Daemon } from '../support/daemon.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

/**
 * Every file of a state dir in turn: gone, empty, cut off, an older copy, another agent's. Either it is refused by name,
 * and the file that is put back is the end of it; or the agent has from elsewhere what was in it.
 */

type Damage = 'gone' | 'empty' | 'cut' | 'older' | "another's";
const damages: readonly Damage[] = ['gone', 'empty', 'cut', 'older', "another's"];
/** What comes of it. `refused`: names the file, or what it is of; then the start succeeds once it is put back. */
type Outcome = 'goes on' | RegExp;

const everyDamage = (outcome: Outcome): Record<Damage, Outcome> => ({
  gone: outcome,
  empty: outcome,
  cut: outcome,
  older: outcome,
  "another's": outcome,
});

/** By the path in the state dir. */
const table: Readonly<Record<string, Readonly<Record<Damage, Outcome>>>> = {
  'keyrings/default.json': {
    ...everyDamage(/keyrings\/default\.json (?:is gone|is no keystore).*copies\/keyrings\/default/),
    older: 'goes on',
    "another's": /keyrings\/default\.json and its second copy \S+ have no key in common/,
  },
  'copies/keyrings/default.json': everyDamage('goes on'),
  'keyrings/prod.json': {
    ...everyDamage(/keyrings\/prod\.json.*agentctl reconcile --keyring prod/),
    "another's": /keyrings\/prod\.json (?:was edited by hand, or is not of this token|belongs)/,
  },
  'copies/keyrings/prod.json': everyDamage('goes on'),
  'agent.db': {
    ...everyDamage(/agent\.db is damaged.*reconcile --forget database/),
    gone: /agent\.db is gone.*reconcile --forget database/,
    older: /agent\.db has \d+ transaction.*reconcile --forget database/,
    "another's": /agent\.db has \d+ transaction.*reconcile --forget database/,
  },
  'audit/000001.jsonl': {
    ...everyDamage(/audit ends with record \d+, and record \d+ was written.*--forget audit/),
    gone: /audit is empty, and the log had \d+ record.*--forget audit/,
    empty: /audit ends with record 0, and record \d+ was written.*--forget audit/,
    "another's": /audit.*--forget audit/,
  },
  'audit/jwks.json': {
    ...everyDamage('goes on'),
    empty: /jwks\.json is not a JWK Set.*move it away/,
    cut: /jwks\.json is not a JWK Set.*move it away/,
  },
  'copies/audit-jwks.json': everyDamage('goes on'),
  'audit.mark': everyDamage('goes on'),
  'api-keys.json': {
    ...everyDamage(/api-keys\.json is refused/),
    gone: /api-keys\.json is gone.*--forget api-keys/,
    older: 'goes on',
    "another's": /api-keys\.json has none of the API keys.*--forget api-keys/,
  },
  'manifest.json': {
    ...everyDamage('goes on'),
    "another's": /manifest\.json and \S+ are of two different agents/,
  },
  'copies/manifest.json': {
    ...everyDamage('goes on'),
    "another's": /manifest\.json and \S+ are of two different agents/,
  },
  'cluster-ca.key': {
    ...everyDamage('goes on'), // without its CA: nothing else stops, and status says so
  },
};
/** Files without anything that could be missed. */
const others = ['lock', 'api-keys.json.lock', 'keyrings/prod.pin-refused.json'];

let token: SoftHsmToken;
let otherToken: SoftHsmToken;
let agent: Life;
let another: Life;
/** Of the state dir, before its last changes and after them. */
let older: string;
let whole: string;
/** Of the token, whose seal goes with the records. */
let wholeToken: string;
/** What must be so after every start that succeeds. */
let wanted: Facts;

interface Facts {
  readonly keys: Readonly<Record<string, readonly string[]>>;
  readonly audit: boolean;
  readonly revokedToken: boolean;
  readonly apiKeys: readonly string[];
}

/** An agent with one of everything that it can keep. */
class Life {
  readonly daemon: Daemon;
  readonly config: string;
  joinToken = '';
  readonly secrets: Record<string, string> = {};

  constructor(of: SoftHsmToken) {
    this.daemon = new Daemon(of.environment);
    this.config = this.daemon.config(
      '[audit]\nenabled = true\n[cluster]\ndomain = "prod.example"\n[keyrings.default]\n' +
        `[keyrings.prod]\nbackend = "pkcs11"\nuri = "${of.uri}"\n`,
    );
  }

  async start(): Promise<void> {
    await this.daemon.start('--config', this.config);
  }

  async client(): Promise<AgentClient> {
    return connect({ socket: this.daemon.socket });
  }

  async ctl(...args: string[]): Promise<string> {
    const { code, out, err } = await this.daemon.agentctl(args);
    expect({ code, err }, args.join(' ')).toMatchObject({ code: 0 });
    return out;
  }

  /** Two rotations of each keyring, API keys, a client key, a join token; `last` takes back what can be taken back. */
  async fill(): Promise<void> {
    await this.start();
    for (const name of ['kept', 'withdrawn']) {
      const out = await this.ctl('--json', 'apikey', 'create', name, '--scope', 'app');
      this.secrets[name] = (JSON.parse(out) as { secret: string }).secret;
    }
    for (const keyring of ['default', 'prod'])
      await this.ctl('--keyring', keyring, 'keys', 'rotate');
    const claims = join(this.daemon.folder, 'claims.json');
    writeFileSync(
      claims,
      JSON.stringify({
        api_endpoint: 'https://leader.prod.example:8443',
        raft_endpoint: '10.0.0.1:7000',
        leader_wg_pubkey: Buffer.alloc(32, 7).toString('base64'),
        overlay_cidr: '10.0.0.0/16',
        iss: 'leader',
      }),
    );
    this.joinToken = (
      await this.ctl('join-token', 'mint', '--ttl', '1h', '--claims', claims)
    ).trim();
  }

  async last(): Promise<void> {
    await this.ctl('apikey', 'revoke', 'withdrawn', '--yes');
    await this.ctl('join-token', 'revoke', this.joinToken);
    for (const keyring of ['default', 'prod']) {
      const before = await this.kids(keyring);
      await this.ctl('--keyring', keyring, 'keys', 'rotate');
      await this.ctl('--keyring', keyring, 'keys', 'revoke', before[0] ?? '', '--yes');
    }
  }

  async kids(keyring: string): Promise<readonly string[]> {
    const out = await this.ctl('--json', '--keyring', keyring, 'keys', 'list');
    const { keys } = JSON.parse(out) as { keys: { kid: string; state: string }[] };
    return keys.map(({ kid, state }) => `${kid} ${state}`).map((text) => text.slice(0, 8));
  }

  async facts(): Promise<Facts> {
    const client = await this.client();
    try {
      const keys: Record<string, readonly string[]> = {};
      for (const keyring of ['default', 'prod']) {
        const found = await client.listKeys({ keyring });
        keys[keyring] = found.map(({ kid, state }) => `${kid} ${state}`).sort();
        await client.sign(Buffer.from('hello'), { keyring });
      }
      const { revocations } = await client.joinTokenRevocations();
      const accepted: string[] = [];
      for (const [name, secret] of Object.entries(this.secrets)) {
        const one = await this.client();
        await one
          .authenticate(() => secret)
          .then(
            () => accepted.push(name),
            () => null,
          );
        await one.close();
      }
      return {
        keys,
        audit: verdictOf(join(this.daemon.stateDir, 'audit')).valid,
        revokedToken: revocations.length > 0,
        apiKeys: accepted,
      };
    } finally {
      await client.close();
    }
  }
}

/** With modes and times, which not every Node keeps. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', '-T', from, to]);
}

const filesOf = (dir: string): readonly string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(dir, name)).isFile())
    .filter((name) => !/^agent\.db-/.test(name))
    .sort();

function copyOf(dir: string, name: string): string {
  const to = join(mkdtempSync(join(tmpdir(), 'state-copy-')), name);
  copy(dir, to);
  return to;
}

/** The state dir as it was: files that a start has made are gone. */
function restore(): void {
  const { stateDir } = agent.daemon;
  rmSync(stateDir, { recursive: true });
  copy(whole, stateDir);
  rmSync(token.dir, { recursive: true });
  copy(wholeToken, token.dir);
}

function damage(path: string, how: Damage): void {
  const file = join(agent.daemon.stateDir, path);
  switch (how) {
    case 'gone':
      rmSync(file);
      return;
    case 'empty':
      truncateSync(file, 0);
      return;
    case 'cut': {
      const bytes = readFileSync(file);
      const half = bytes.subarray(0, Math.floor(bytes.length / 2));
      // A log is cut off behind a whole record: that is what nothing in it could tell.
      const end = path.endsWith('.jsonl') ? half.lastIndexOf(0x0a) + 1 : half.length;
      truncateSync(file, end);
      return;
    }
    case 'older':
    case "another's": {
      const from = join(how === 'older' ? older : another.daemon.stateDir, path);
      // What was not there yet has no older copy.
      if (existsSync(from)) copy(from, file);
      return;
    }
  }
}

beforeAll(async () => {
  token = await makeToken();
  otherToken = await makeToken();
  agent = new Life(token);
  another = new Life(otherToken);
  for (const life of [another, agent]) {
    await life.fill();
    if (life === agent) {
      await life.daemon.stop();
      older = copyOf(life.daemon.stateDir, 'older');
      await life.start();
    }
    await life.last();
    if (life === agent) wanted = await life.facts();
    await life.daemon.stop();
  }
  whole = copyOf(agent.daemon.stateDir, 'whole');
  wholeToken = copyOf(token.dir, 'token');
  expect(wanted).toMatchObject({ audit: true, revokedToken: true, apiKeys: ['kept'] });
});
afterAll(async () => {
  await agent.daemon.remove();
  await another.daemon.remove();
  await token.remove();
  await otherToken.remove();
});

test('every file that an agent makes is in the table', () => {
  // Space that is held in reserve says nothing, and is made anew by each start.
  const found = filesOf(whole)
    .map((path) => relative('.', path))
    .filter((path) => !path.startsWith('reserve/'));
  expect([...found].sort()).toEqual([...Object.keys(table), ...others].sort());
});

/** The failures that doctor finds, a line each. */
async function doctorOf({ daemon, config }: Life): Promise<string> {
  const { code, out } = await daemon.agentctl([
    ...['--json', 'doctor', '--config', config, '--state-dir', daemon.stateDir],
  ]);
  expect(code).toBe(1);
  const { findings } = JSON.parse(out) as { findings: { state: string; text: string }[] };
  return findings
    .filter(({ state }) => state === 'failure')
    .map(({ text }) => text)
    .join('\n');
}

describe("SQLite's log after the agent was killed", () => {
  test.each([
    [
      'gone',
      (path: string) => {
        rmSync(path);
      },
    ],
    [
      'empty',
      (path: string) => {
        truncateSync(path, 0);
      },
    ],
    [
      'damaged',
      (path: string) => {
        writeFileSync(path, Buffer.alloc(8192, 0xff), { mode: 0o600 });
      },
    ],
  ])('is %s: what was acknowledged is in the database itself', async (_, harm) => {
    restore();
    await agent.start();
    const client = await agent.client();
    const key = await client.clientkeyRegister(Buffer.alloc(32, 9));
    await client.clientkeyRevoke(key.id);
    await client.close();
    await agent.daemon.stop('SIGKILL');
    const log = join(agent.daemon.stateDir, 'agent.db-wal');
    if (existsSync(log)) harm(log);
    await agent.start();
    const again = await agent.client();
    try {
      expect((await again.clientkeyShow(key.id)).revoked_at).toEqual(expect.any(String));
      expect(await agent.facts()).toEqual(wanted);
    } finally {
      await again.close();
      await agent.daemon.stop();
    }
  });
});

describe.each(Object.keys(table))('%s', (path) => {
  test.each(damages)('%s', async (how) => {
    restore();
    damage(path, how);
    const outcome = table[path]?.[how];
    if (outcome === undefined) throw new Error('not in the table');
    if (outcome !== 'goes on') {
      const refused = await agent.daemon.refusedStart('--config', agent.config);
      expect(refused.err).toMatch(outcome);
      if (how === 'gone') {
        // The log is missed as a whole, by its folder.
        const named = path.startsWith('audit/') ? '/audit is empty' : basename(path);
        expect(await doctorOf(agent)).toContain(named);
      }
      copy(join(whole, path), join(agent.daemon.stateDir, path));
    }
    await agent.start();
    try {
      expect(await agent.facts()).toEqual(wanted);
    } finally {
      await agent.daemon.stop();
    }
  });
});
