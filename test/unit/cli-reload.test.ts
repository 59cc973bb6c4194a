import { afterEach, describe, expect, it } from 'vitest';
import { agentctl, type Session } from '../support/cli-session.ts';
import { FakeAgent } from '../support/fake-agent.ts';

const now = Date.parse('2026-05-14T18:20:00Z');
let agent: FakeAgent | null = null;
afterEach(async () => {
  await agent?.remove();
  agent = null;
});

/** Runs a command against an agent that answers everything with this. */
async function run(result: unknown, ...words: string[]): Promise<Session> {
  agent = await FakeAgent.start((_request, reply) => {
    reply.result(result);
  });
  return agentctl(['--socket', agent.path, ...words], { now });
}

describe('agentctl reload', () => {
  const socket = {
    part: 'socket',
    reason: 'it was changed, and counts after a restart of the agent',
    failed: false,
  };

  it('says what was reloaded, and what was kept and why', async () => {
    const session = await run(
      { reloaded: ['access', 'log', 'api_keys'], kept: [socket] },
      'reload',
    );
    expect(session).toMatchObject({ code: 0, err: '' });
    expect(session.out.split('\n')).toEqual([
      'reloaded  access rules',
      'reloaded  log level',
      'reloaded  API keys',
      'kept      socket        it was changed, and counts after a restart of the agent',
      '',
    ]);
    expect(agent?.requests).toMatchObject([{ method: 'reload', params: {} }]);
  });

  it('fails where something could not be read, with what was', async () => {
    const broken = { part: 'configuration', reason: '/etc/agent.toml: \u001b x', failed: true };
    const keys = { part: 'api_keys', reason: 'id ci stands twice', failed: true };
    const session = await run({ reloaded: [], kept: [broken, keys, socket] }, 'reload');
    expect(session.code).toBe(1);
    expect(session.out.split('\n').slice(0, 2)).toEqual([
      'kept  configuration  /etc/agent.toml: \\u{1b} x',
      'kept  API keys       id ci stands twice',
    ]);
    expect(session.err).toBe(
      'agentctl: not everything was reloaded: configuration and API keys could not be read, ' +
        'and what was loaded before still counts\n',
    );
  });

  it('prints the wire result with --json, and fails all the same', async () => {
    const result = { reloaded: ['api_keys'], kept: [{ ...socket, failed: true }] };
    const session = await run(result, '--json', 'reload');
    expect(session.code).toBe(1);
    expect(JSON.parse(session.out)).toEqual(result);
    const [, report = ''] = session.err.split('\n');
    expect(JSON.parse(report)).toMatchObject({ error: { kind: 'failed', exit_code: 1 } });
  });

  it('shows parts of a newer agent under their own names', async () => {
    const { out } = await run({ reloaded: ['constructor', 'trust'], kept: [] }, 'reload');
    expect(out).toBe('reloaded  constructor\nreloaded  trust\n');
  });
});

describe('agentctl status', () => {
  const old = {
    agent: { version: '0.2.0', pid: 1, started_at: '2026-05-14T17:20:00Z' },
    keyrings: [],
    connections: { open: 1, accepted: 1 },
    counters: { requests: 1, errors: 0, signatures: 0 },
  };
  const audit = {
    ...{ enabled: true, fsync: true, health: 'ok', last_seq: 42 },
    ...{ file: '/srv/a/audit/1.jsonl', last_error: null },
  };
  const warnings = ['access.apps: there is no user "x" here, so it allows nobody', 'API key y'];
  const facts = async (given: object): Promise<string[]> => {
    const counters = { ...old.counters, authentication_failures: 3 };
    const access = { api_keys: 2, warnings: [] };
    const { out } = await run({ ...old, counters, access, audit, ...given }, 'status');
    return out
      .split('\n')
      .filter((line) => /^(API keys|access|audit)/.test(line))
      .map((line) => line.replace(/ {2,}/, ': '));
  };

  it('says how access and the audit log are', async () => {
    expect(await facts({})).toEqual([
      'API keys: 2 in force, 3 not accepted since the start',
      'audit: ok, last record 42, /srv/a/audit/1.jsonl',
    ]);
  });

  it('says what allows nobody', async () => {
    expect(await facts({ access: { api_keys: 0, warnings } })).toEqual([
      'API keys: 0 in force, 3 not accepted since the start',
      `access: ${warnings[0]}`,
      'access: API key y',
      'audit: ok, last record 42, /srv/a/audit/1.jsonl',
    ]);
  });

  it('says that the audit log is off, or loses records at a power cut, or cannot be written', async () => {
    const of = async (change: object) =>
      (await facts({ audit: { ...audit, ...change } })).filter((line) => line.startsWith('audit'));
    expect(await of({ enabled: false })).toEqual(['audit: off: nothing is recorded']);
    expect(await of({ fsync: false, file: null, last_seq: null })).toEqual([
      'audit: ok, no record yet, without fsync',
    ]);
    const last_error = { message: 'ENOSPC: no space', at: '2026-05-14T18:19:15Z' };
    expect(await of({ health: 'unavailable', last_error })).toEqual([
      'audit: unavailable: nothing is signed or changed, last record 42',
      'audit error: ENOSPC: no space, 45s ago (2026-05-14 18:19:15Z)',
    ]);
  });

  it('of an older agent, which says nothing of them', async () => {
    const { code, out } = await run(old, 'status');
    expect(code).toBe(0);
    expect(out).not.toMatch(/audit|API keys/);
  });
});
