import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkAccess, checkPurposes } from '../../src/cli/commands/doctor/access.ts';
import { checkApiKeys } from '../../src/cli/commands/doctor/api-keys.ts';
import { parseConfig } from '../../src/config/load.ts';
import { resolveSettings } from '../../src/config/settings.ts';
import { Clock, worldWith } from '../support/world.ts';

const accounts = {
  userId: (name: string) => (name === 'ci' ? 1001 : null),
  groupId: (name: string) => (name === 'signers' ? 1002 : null),
};

describe('[access]', () => {
  const check = (apps: readonly string[]) =>
    checkAccess({ admins: [], apps, readers: [] }, 900, accounts);

  test('is well where every name is known, or none is given', () => {
    expect(check(['ci', '@signers', '*'])).toMatchObject([{ subject: 'access', state: 'ok' }]);
    expect(check([])).toMatchObject([{ state: 'ok' }]);
  });

  test('has a warning for each name that is not', () => {
    const found = check(['ic', '@signres', 'ci']);
    expect(found.map(({ state }) => state)).toEqual(['warning', 'warning']);
    expect(found[0]?.text).toMatch(/access\.apps: there is no user "ic" here/);
    expect(found[1]?.text).toMatch(/access\.apps: there is no group "signres" here/);
  });
});

test('purposes: a warning for a keyring that the agent relies on and that is for everything', () => {
  const where = { env: {}, uid: 0, cwd: '/', file: 'agent.toml', processors: 1 };
  const check = (text: string) =>
    checkPurposes(resolveSettings(parseConfig(text, 'agent.toml'), {}, where));
  expect(check('')).toEqual([]);
  expect(check('[audit]\n')).toMatchObject([
    {
      ...{ subject: 'purposes', state: 'warning' },
      text: expect.stringMatching(
        /^keyring default is the audit log's, .*after a restart$/,
      ) as string,
    },
  ]);
  expect(check('[audit]\n[ssh_agent]\n[keyrings.default]\npurposes = ["ssh-login"]\n')).toEqual([]);
});

describe('API keys', () => {
  const world = worldWith(new Clock());
  const keyrings = [{ name: 'default', purposes: new Set(['minisign'] as const) }];
  let stateDir: string;
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'doctor-keys-'));
  });
  afterEach(() => {
    rmSync(stateDir, { recursive: true });
  });

  function check(keys: readonly object[] | string, mode = 0o600, machine: string | null = null) {
    const text = typeof keys === 'string' ? keys : JSON.stringify({ version: 1, keys });
    writeFileSync(join(stateDir, 'api-keys.json'), text, { mode });
    return checkApiKeys({ stateDir, keyrings }, { world, accounts, machine });
  }
  const hash = `sha256:${'00'.repeat(32)}`;
  const key = { id: 'app', hash, scope: 'app', created_at: '2026-01-01T00:00:00Z' };

  test('that are not there are well', () => {
    const found = checkApiKeys({ stateDir, keyrings }, { world, accounts, machine: null });
    expect(found).toMatchObject([{ subject: 'API keys', state: 'ok' }]);
  });

  test('that somebody can use are well', () => {
    expect(check([{ ...key, allowed_users: ['ci'], allowed_keyrings: ['default'] }])).toMatchObject(
      [{ state: 'ok', text: expect.stringMatching(/has 1 key\(s\) that can be used$/) as string }],
    );
  });

  test.each<[string, object, RegExp]>([
    [
      'no scope',
      { scope: undefined },
      /API key app is refused: it has no scope: agentctl apikey update/,
    ],
    ['a user that is not here', { allowed_users: ['ic'] }, /there is no user "ic" here/],
    ['an end that has passed', { expires_at: '2026-05-14T17:55:00Z' }, /has expired .*--expires/],
    ['a machine, on one that cannot be told', { allowed_machines: ['0'.repeat(64)] }, /machine-id/],
    ['a keyring that is not configured', { allowed_keyrings: ['ci'] }, /does not have: ci/],
    ['a purpose that its keyring has not', { allowed_purposes: ['jwt', 'minisign'] }, /has: jwt: /],
    [
      'a purpose that there is not',
      { allowed_purposes: ['all'] },
      /allowed_purposes cannot be read/,
    ],
  ])('with %s are a warning', (_, change, why) => {
    const [first, second, ...rest] = check([{ ...key, ...change }]);
    expect([first?.state, second?.state, rest.length]).toEqual(['ok', 'warning', 0]);
    expect(second?.text).toMatch(why);
  });

  test.each<[string, readonly object[] | string, number, RegExp]>([
    ['is no JSON', '{', 0o600, /is refused: it is not JSON/],
    ['has a name twice', [key, key], 0o600, /two entries have the id "app"/],
    ['others may read', [key], 0o644, /has mode 0644: run chmod 600/],
  ])('are a failure where the file %s', (_, keys, mode, why) => {
    const found = check(keys, mode);
    expect(found).toMatchObject([{ subject: 'API keys', state: 'failure' }]);
    expect(found[0]?.text).toMatch(why);
  });
});
