import { beforeEach, expect, test } from 'vitest';
import { noApiKeys, type LoadedApiKeys } from '../../src/access/api-key.ts';
import { parseConfig } from '../../src/config/load.ts';
import { resolveSettings, type Settings } from '../../src/config/settings.ts';
import { reload } from '../../src/agent/reload.ts';
import { AccessRig } from '../support/access-control.ts';
import { apiKey, apiKeys, secretOf } from '../support/api-keys.ts';

let rig: AccessRig;
let configuration: string;
let keys: () => LoadedApiKeys;
beforeEach(() => {
  rig = new AccessRig();
  configuration = '';
  keys = () => noApiKeys;
});

function read(text: string): Settings {
  const where = { env: {}, uid: 0, cwd: '/', file: '/etc/agent.toml', processors: 2 };
  return resolveSettings(parseConfig(text, where.file), {}, where);
}

/** As an agent does that was started with `before`. */
function reloaded(before = '') {
  return reload({
    settings: read(before),
    readSettings: () => read(configuration),
    accessSettings: ({ access }) => ({
      ...{ rules: rig.rules(access), limits: access, bounds: new Map(), warnings: [] },
    }),
    readApiKeys: () => keys(),
    access: rig.control,
    world: { log: rig.log },
  });
}

const all = ['access', 'log', 'api_keys'];
const scope = () => rig.control.grant(rig.connect(1001)).principal.scope;

test('takes over rules, limits, log level and API keys', async () => {
  configuration = `[log]\nlevel = "info"
[access]
apps = ["1001"]
max_signatures_per_second_per_uid = 7
max_signatures_per_second_per_key = 8
max_connections_per_key = 9`;
  keys = () => apiKeys(apiKey('ci'));
  expect(reloaded()).toEqual({ reloaded: all, kept: [] });
  expect(scope()).toBe('app');
  expect(rig.control.settings.limits).toMatchObject({
    signaturesPerSecondPerUid: 7,
    signaturesPerSecondPerKey: 8,
    connectionsPerKey: 9,
  });
  expect(rig.log.level).toBe('info');
  expect(rig.lines.at(-1)).toMatchObject({ level: 30, msg: 'reloaded', reloaded: all, kept: [] });
  expect((await rig.control.authenticate(rig.connect(5), secretOf('ci'))).name).toBe('ci');
});

test('takes over [[access.rules]]; what a keyring is for counts after a restart', () => {
  configuration = `[[access.rules]]
who = [1001]
scope = "app"
keyrings = ["default"]
purposes = ["jwt"]
[keyrings.default]
purposes = ["jwt"]`;
  expect(reloaded()).toMatchObject({
    reloaded: all,
    kept: [{ part: 'keyrings', failed: false }],
  });
  expect(rig.control.grant(rig.connect(1001)).allowances).toEqual([
    { scope: 'app', keyrings: new Set(['default']), purposes: new Set(['jwt']) },
  ]);
  configuration = '[keyrings.default]\npurposes = ["minisign"]';
  expect(reloaded('[keyrings.default]\npurposes = ["minisign"]').kept).toEqual([]);
  expect(scope()).toBe('none');
});

test('a configuration that is broken keeps rules and log level, and the keys are read all the same', () => {
  configuration = '[access]\nreaders = ["1001"]\n[log]\nlevel = "debug"';
  reloaded();
  for (const broken of ['[access', '[acess]\nreaders = ["*"]', '[access]\nadmins = ["*"]']) {
    configuration = broken;
    keys = () => apiKeys(apiKey('ci'));
    rig.lines.length = 0;
    const { reloaded: taken, kept } = reloaded();
    expect(taken).toEqual(['api_keys']);
    expect(kept).toMatchObject([{ part: 'configuration', failed: true }]);
    expect(kept[0]?.reason).toContain('/etc/agent.toml');
    expect(rig.lines).toMatchObject([{ level: 50, msg: 'not everything was reloaded', kept }]);
    expect(scope()).toBe('reader');
    expect(rig.log.level).toBe('debug');
  }
});

test('rules whose names cannot be looked up keep those from before', () => {
  configuration = '[access]\napps = ["1001"]';
  reloaded();
  const before = rig.control.settings;
  configuration = '[access]\nreaders = ["ada"]';
  const { kept } = reload({
    settings: read(''),
    readSettings: () => read(configuration),
    accessSettings: () => {
      throw new Error('getpwnam_r failed: EIO');
    },
    readApiKeys: () => noApiKeys,
    access: rig.control,
    world: { log: rig.log },
  });
  const reason = 'getpwnam_r failed: EIO';
  expect(kept).toEqual([{ part: 'configuration', reason, failed: true }]);
  expect(rig.control.settings).toBe(before);
});

test('API keys that are broken keep the set from before, whole', async () => {
  keys = () => apiKeys(apiKey('ci'));
  reloaded();
  keys = () => {
    throw new Error('api-keys.json: id ci stands twice: remove one');
  };
  configuration = '[access]\nreaders = ["1001"]';
  expect(reloaded()).toEqual({
    reloaded: ['access', 'log'],
    kept: [
      { part: 'api_keys', reason: 'api-keys.json: id ci stands twice: remove one', failed: true },
    ],
  });
  expect(scope()).toBe('reader');
  expect((await rig.control.authenticate(rig.connect(5), secretOf('ci'))).name).toBe('ci');
});

test('both broken: everything stays as it was', () => {
  configuration = 'x = 1';
  keys = () => {
    throw new Error('no');
  };
  const { settings, keys: before } = rig.control;
  expect(reloaded()).toMatchObject({
    reloaded: [],
    kept: [{ part: 'configuration' }, { part: 'api_keys', failed: true }],
  });
  expect(rig.control.settings).toBe(settings);
  expect(rig.control.keys).toBe(before);
});

test.each([
  ['state_dir = "/srv/other"', ['state_dir', 'keyrings']],
  ['state_dir = "/srv/other"\n[audit]', ['state_dir', 'keyrings', 'audit']],
  ['[socket]\nmode = "0666"', ['socket']],
  ['[keyrings.default]\n[keyrings.ci]', ['keyrings']],
  ['[ssh_agent]\nmode = "0660"', ['ssh_agent']],
  ['[cluster]\ndomain = "prod.example"', ['cluster']],
  ['[access]\nreaders = ["*"]\n[log]\nlevel = "warn"', []],
])('what counts after a restart is said: %j', (changed, parts) => {
  configuration = changed;
  const reason = 'it was changed, and counts after a restart of the agent';
  const kept = parts.map((part) => ({ part, reason, failed: false }));
  expect(reloaded()).toEqual({ reloaded: all, kept });
  // Against what the agent runs with, not against what was read last.
  expect(reloaded()).toEqual({ reloaded: all, kept });
  configuration = '';
  expect(reloaded()).toEqual({ reloaded: all, kept: [] });
});

test('warnings are said in the log again', () => {
  configuration = '[access]\napps = ["nobody-here"]';
  keys = () => ({ ...noApiKeys, warnings: ['API key old has no scope'] });
  reloaded();
  expect(rig.lines.filter(({ msg }) => msg === 'access')).toMatchObject([
    { level: 40, reason: rig.control.warnings[0] },
    { level: 40, reason: 'API key old has no scope' },
  ]);
});
