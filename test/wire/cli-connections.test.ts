import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { completionModel } from '../../src/cli/commands/completion/completion-model.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { everyCommand } from '../../src/cli/programs/all.ts';
import { agentctl, terminalOf } from '../support/cli-session.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';

/** One command line. `keeps`: a name under which later lines find what it printed. */
interface Line {
  readonly words: string;
  readonly stdin?: string;
  /** 0 where not given. */
  readonly code?: number;
  readonly keeps?: string;
}

/**
 * Every command that asks the agent, in an order in which each has what it needs. `{name}`: what an earlier line
 * printed; `@name`: a file with that; `%name`: a path in the test's folder.
 */
const asking: readonly Line[] = [
  { words: 'status' },
  { words: 'status --check' },
  { words: 'ping' },
  { words: 'wait --timeout 1s' },
  { words: '--keyring default wait --timeout 1s' },
  { words: 'whoami' },
  { words: 'reload' },
  { words: 'keys list' },
  { words: 'keys rotate' },
  { words: 'keys rotate --grace 1h' },
  { words: 'keys prepare' },
  { words: 'keys prune' },
  { words: 'sign', stdin: 'hello', keeps: 'b64' },
  { words: 'sign --format json', stdin: 'hello', keeps: 'json' },
  { words: 'sign --format raw --out %raw', stdin: 'hello' },
  { words: 'sign --format sshsig', stdin: 'hello', keeps: 'sshsig' },
  { words: 'sign --format minisign', stdin: 'hello', keeps: 'minisign' },
  { words: 'sign --format jws', stdin: 'hello', keeps: 'jws' },
  { words: 'verify --signature @b64', stdin: 'hello' },
  { words: 'verify --signature @json', stdin: 'hello' },
  { words: 'verify --signature @sshsig', stdin: 'hello' },
  { words: 'verify --signature @minisign', stdin: 'hello' },
  { words: 'verify --signature @jws', stdin: 'hello' },
  { words: 'verify --signature @b64', stdin: 'another', code: 5 },
  { words: 'jwks' },
  { words: '--keyring default --keyring ci --keyring web jwks' },
  { words: 'jwt sign --ttl 5m', keeps: 'jwt' },
  { words: 'jwt verify {jwt}' },
  { words: 'unlock --pin-file -', stdin: '123456', code: 1 },
  { words: 'lock', code: 1 },
  { words: '--json ca show', keeps: 'ca' },
  { words: 'keys show {kid}' },
  ...['minisign', 'ssh', 'pem', 'jwk', 'b64'].map((format) => ({
    words: `keys show {kid} --format ${format}`,
  })),
  { words: 'keys import @b64', code: 1 },
  { words: 'keys attest {kid} --nonce AAAAAAAAAAAAAAAA', code: 1 },
  { words: 'ca issue', keeps: 'certificate' },
  { words: 'ca forget 00000000 --yes', code: 1 },
  { words: 'ca verify @certificate' },
  { words: 'ca bundle', keeps: 'bundle' },
  { words: 'trust import @bundle' },
  { words: 'trust list' },
  { words: 'trust remove --yes prod.example' },
  { words: `join-token mint --ttl 1h --claims @claims`, keeps: 'token' },
  { words: 'join-token verify @token' },
  { words: 'join-token revoke @token' },
  { words: 'join-token revocations' },
  { words: '--json clientkey register {recipient}', keeps: 'clientkey' },
  { words: 'clientkey list --all' },
  { words: 'clientkey show {id}' },
  { words: 'apikey create ci --scope app' },
  { words: 'apikey create sealed --scope app --seal-to {id}' },
  { words: 'apikey list' },
  { words: 'apikey update ci --note changed' },
  { words: 'apikey revoke ci --yes' },
  { words: 'backup --to {id}', keeps: 'backup' },
  { words: 'restore @backup --replace --identity %identity' },
  { words: 'clientkey revoke {id} --yes' },
  { words: 'keys revoke {kid} --yes' },
  { words: 'init --yes --state-dir %state' },
  { words: 'init --yes --state-dir %state' },
];

/** Those that ask nobody. `doctor` asks once, after it has tried whether anybody accepts at the sockets. */
const silent = [
  'apikey machine',
  'audit verify',
  'audit show',
  'doctor',
  'reconcile',
  'keys reseal',
  'verify-attestation',
  'completion',
];

let agent: InProcessAgent;
const printed = new Map<string, string>();
const inFolder = (name: string): string => join(agent.folder, name);

beforeAll(async () => {
  agent = new InProcessAgent(
    '[cluster]\ndomain = "prod.example"\n[keyrings.default]\n[keyrings.ci]\n[keyrings.web]\n',
  );
  await agent.start();
  writeFileSync(
    inFolder('claims'),
    JSON.stringify({
      api_endpoint: 'https://leader.prod.example:8443',
      raft_endpoint: '10.0.0.1:7000',
      leader_wg_pubkey: Buffer.alloc(32, 7).toString('base64'),
      overlay_cidr: '10.0.0.0/16',
      iss: 'leader',
    }),
  );
  const identity = await generateX25519Identity();
  writeFileSync(inFolder('identity'), `${identity}\n`);
  chmodSync(inFolder('identity'), 0o600);
  printed.set('recipient', await identityToRecipient(identity));
});
afterAll(() => agent.remove());

function filled(words: string): string[] {
  return words
    .replaceAll(/\{(\w+)\}/g, (_, name: string) => (printed.get(name) ?? '').trim())
    .replaceAll(/[@%](\w+)/g, (_, name: string) => inFolder(name))
    .split(' ');
}

function keep(name: string, text: string): void {
  printed.set(name, text);
  writeFileSync(inFolder(name), text);
  if (name === 'ca') printed.set('kid', (JSON.parse(text) as Shown).certificate.active_kid);
  if (name === 'clientkey') printed.set('id', (JSON.parse(text) as { id: string }).id);
}

interface Shown {
  readonly certificate: { readonly active_kid: string };
}

const accepted = (): number => agent.agent.status().connections.accepted;

describe('a command asks on one connection', () => {
  test.each(asking)('$words', async ({ words, stdin = '', code = 0, keeps }) => {
    const before = accepted();
    const now = agent.clock.now();
    const session = await agentctl(['--socket', agent.socket, ...filled(words)], { stdin, now });
    expect(session, session.err).toMatchObject({ code });
    expect(accepted() - before).toBe(1);
    await expect.poll(() => agent.agent.status().connections.open).toBe(0);
    if (keeps !== undefined) keep(keeps, session.out);
  });

  test('with an API key too, for which it authenticates once', async () => {
    const { out } = await agentctl(
      ['--socket', agent.socket, ...filled('apikey create once --scope app')],
      { now: agent.clock.now() },
    );
    const secret = /sa_once_[0-9a-f]{64}/.exec(out)?.[0] ?? '';
    writeFileSync(inFolder('key'), secret);
    chmodSync(inFolder('key'), 0o600);
    const before = { accepted: accepted(), ...agent.agent.status().counters };
    const words = filled('--api-key-file %key sign --format minisign');
    const session = await agentctl(['--socket', agent.socket, ...words], { stdin: 'hello' });
    expect(session).toMatchObject({ code: 0, err: '' });
    expect(accepted() - before.accepted).toBe(1);
    // authenticate, describe_backend, sign_minisign: made of two signatures, in one request.
    expect(agent.agent.status().counters.requests - before.requests).toBe(3);
  });
});

test('there is no other command', () => {
  const program = buildProgram(terminalOf().terminal, () => undefined, everyCommand);
  const paths = completionModel(program)
    .filter(({ commands, path }) => commands.length === 0 && !/(^| )help$/.test(path))
    .map(({ path }) => path);
  const known = [...silent, ...asking.map(({ words }) => words)];
  const unknown = paths.filter(
    (path) =>
      !known.some((words) =>
        `${words.replaceAll(/--(keyring \w+|json) /g, '')} `.startsWith(`${path} `),
      ),
  );
  expect(unknown).toEqual([]);
});
