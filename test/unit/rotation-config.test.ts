import { expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/config/load.ts';
import { resolveSettings } from '../../src/config/settings.ts';
import { formatDuration } from '../../src/base/duration.ts';

const file = '/etc/agent.toml';
const table = '[keyrings.a.rotation]\n';

function policyOf(text: string): unknown {
  const config = parseConfig(text, file);
  const world = { env: {}, uid: 0, cwd: '/home/me', file, processors: 2 };
  return resolveSettings(config, {}, world).keyrings[0]?.rotation;
}

test('what is left out follows from every', () => {
  const policy = (everySeconds: number, prepublishSeconds: number, graceSeconds: number) => ({
    everySeconds,
    prepublishSeconds,
    graceSeconds,
  });
  expect(policyOf(`${table}every = "24h"`)).toEqual(policy(86_400, 21_600, 86_400));
  expect(policyOf(`${table}every = "2s"`)).toEqual(policy(2, 0, 2));
  expect(policyOf(`${table}every = "24h"\nprepublish = "2h"\ngrace = "0s"`)).toEqual(
    policy(86_400, 7200, 0),
  );
  expect(
    policyOf(`${table}every = "24h"\ngrace = "1441m"\nsignature_lifetime = "24h"`),
  ).toMatchObject({ graceSeconds: 86_460 });
  expect(policyOf('[keyrings.a]\nbackend = "file"')).toBeNull();
});

test.each([
  ['every = "1s"', 'every: must be 2s or longer'],
  ['every = "0s"', 'every: must be 2s or longer'],
  ['every = "daily"', 'every: must be a duration such as 90s, 15m, 24h or 7d'],
  [
    'every = "24h"\nprepublish = "24h"',
    'prepublish: prepublish = 24h must be less than every = 24h: the next key is prepared while the one ' +
      'before it is used',
  ],
  [
    'every = "24h"\ngrace = "12h"\nsignature_lifetime = "24h"',
    'grace: a signature made in the last moment of a key lives signature_lifetime = 24h, plus jitter of 1m: ' +
      '24h1m is more than grace = 12h, so it would outlive its key',
  ],
  [
    'every = "24h"\nsignature_lifetime = "24h"',
    'grace: a signature made in the last moment of a key lives signature_lifetime = 24h, plus jitter of 1m: ' +
      '24h1m is more than grace = 24h (as every), so it would outlive its key',
  ],
  [
    'every = "1h"\ngrace = "3635s"\nsignature_lifetime = "1h"',
    'grace: a signature made in the last moment of a key lives signature_lifetime = 1h, plus jitter of 36s: ' +
      '1h36s is more than grace = 1h35s, so it would outlive its key',
  ],
  ['every = "1h"\nevry = "2h"', 'evry: unknown key "evry", did you mean every?'],
  [
    'every = "1h"\nprepblish = "1m"',
    'prepblish: unknown key "prepblish", did you mean prepublish?',
  ],
  [
    'every = "1h"\nsignature_livetime = "1m"',
    'signature_livetime: unknown key "signature_livetime", did you mean signature_lifetime?',
  ],
])('refuses %j', (text, message) => {
  let refusal = 'accepted';
  try {
    policyOf(table + text);
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    refusal = failure.message;
  }
  expect(refusal).toBe(`${file}: keyrings.a.rotation.${message}`);
});

test('refuses a rotation without every', () => {
  expect(() => policyOf(table)).toThrow('keyrings.a.rotation.every: ');
});

test('durations are written as they add up', () => {
  const texts = [0, 59, 60, 3660, 86_400, 86_460, 172_799, 172_800, 604_800].map(formatDuration);
  expect(texts).toEqual(['0s', '59s', '1m', '1h1m', '24h', '24h1m', '47h59m59s', '2d', '7d']);
});
