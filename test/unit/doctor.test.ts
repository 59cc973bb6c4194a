import { describe, expect, test } from 'vitest';
import { checkClock } from '../../src/cli/commands/doctor/clock.ts';
import { checkRecordedTime } from '../../src/vault/examine-recorded-time.ts';
import { failureOf } from '../../src/base/finding.ts';
import { judgeHealth, notTold } from '../../src/cli/commands/doctor/health.ts';
import { checkLimits } from '../../src/cli/commands/doctor/limits.ts';
import { notWritable, roomFault } from '../../src/cli/commands/doctor/state-dir.ts';
import { judgeProbe } from '../../src/vault/pkcs11/examine-token.ts';
import { ConnectionError } from '../../src/client/connection-error.ts';
import { AgentError } from '../../src/base/errors.ts';
import type { AgentStatus } from '../../src/api/status.ts';
import { fileFailure } from '../../src/files/ownership.ts';
import type { TokenProbe } from '../../src/vault/pkcs11/token/probe.ts';

const token: TokenProbe = {
  label: 'prod',
  serial: '1',
  writeProtected: false,
  generates: true,
  signs: true,
  manufacturer: 'SoftHSM project',
  model: 'SoftHSM v2',
  instead: null,
  unlockRemedy: 'its security officer resets it',
  warning: null,
  inHardware: false,
  userPin: 'ready',
};
const judge = (change: Partial<TokenProbe>) =>
  judgeProbe(
    { name: 'prod', algorithm: 'ed25519' },
    { outcome: 'token', token: { ...token, ...change } },
  );
const notOk = (change: Partial<TokenProbe>) => judge(change).filter(({ state }) => state !== 'ok');

describe('what a token says of itself', () => {
  test('well', () => {
    expect(notOk({})).toEqual([]);
    expect(judge({ inHardware: true }).some(({ text }) => text.includes('in hardware'))).toBe(true);
  });

  test.each<[Partial<TokenProbe>, 'warning' | 'failure', RegExp]>([
    [{ userPin: 'count_low' }, 'warning', /a wrong user PIN was tried/],
    [{ userPin: 'final_try' }, 'failure', /one more wrong user PIN locks it/],
    [{ userPin: 'locked' }, 'failure', /security officer/],
    [{ userPin: 'not_set' }, 'failure', /no user PIN yet/],
    [{ userPin: 'to_be_changed' }, 'failure', /expired/],
    [{ writeProtected: true }, 'warning', /write-protected/],
    [{ signs: false }, 'failure', /no ed25519/],
    [{ generates: false }, 'failure', /no ed25519/],
  ])('%o', (change, state, text) => {
    const found = notOk(change);
    expect(found).toMatchObject([{ subject: 'prod: token', state }]);
    expect(found[0]?.text).toMatch(text);
  });

  test('a module that cannot be loaded, and a token that is not there', () => {
    const keyring = { name: 'prod', algorithm: 'ed25519' } as const;
    expect(judgeProbe(keyring, { outcome: 'not_loaded', reason: 'it hangs' })).toEqual([
      { subject: 'prod: module', state: 'failure', text: 'it hangs' },
    ]);
    const [none] = judgeProbe(keyring, { outcome: 'no_token', reason: 'none' });
    expect(none).toMatchObject({ subject: 'prod: token', state: 'failure' });
    expect(none?.text).toMatch(/^none\. Plug the token in.*uri/);
  });
});

describe('the clock', () => {
  const now = Date.UTC(2026, 4, 14);
  test('is judged by its year', () => {
    expect(checkClock(now).state).toBe('ok');
    for (const wrong of [0, Date.UTC(2019, 0), Date.UTC(2110, 0)]) {
      expect(checkClock(wrong).state).toBe('failure');
    }
  });

  test('and by the latest time of the records', () => {
    const check = (latestTime: string | null) =>
      checkRecordedTime('prod', { latestTime }, now, 'the remedy');
    for (const fine of [null, '2026-05-14T00:00:30Z', '2020-01-01T00:00:00Z']) {
      expect(check(fine)).toEqual([]);
    }
    expect(check('2026-05-14T01:00:00Z')).toMatchObject([{ state: 'warning' }]);
    expect(check('2026-05-14T01:00:00Z')[0]?.text).toContain('the remedy');
  });
});

test('limits: too few files for the connections, and whose they are', () => {
  const of = (maxConnections: number, pid: number | null) =>
    checkLimits({ maxConnections }, { running: pid !== null, pid });
  expect(of(1, null).map(({ state }) => state)).toEqual(['ok', 'ok']);
  const [files] = of(1e12, null);
  expect(files?.state === 'ok' ? 'unlimited' : files?.text).toMatch(/unlimited|LimitNOFILE=/);
  expect(of(1, 2 ** 30)).toHaveLength(2); // an agent that ended meanwhile
});

describe('system calls that fail', () => {
  const thrown = (code: string) => Object.assign(new Error(`${code}: lstat '/s'`), { code });
  test('are findings with a remedy; other errors are bugs', () => {
    for (const failed of [thrown('EACCES'), fileFailure('/s', 'open', thrown('EACCES'))]) {
      expect(failureOf('lock', failed)).toMatchObject({ subject: 'lock', state: 'failure' });
      expect(failureOf('lock', failed).text).toMatch(/EACCES.*: run doctor as the agent's user$/);
    }
    expect(failureOf('lock', thrown('EIO')).text).toMatch(/EIO.*file system/);
    expect(() => failureOf('lock', new TypeError('x'))).toThrow(TypeError);
    expect(() => failureOf('lock', thrown('ERR_INVALID_ARG_TYPE'))).toThrow();
  });

  test('a directory that cannot be written', () => {
    expect(notWritable('state dir', '/s', thrown('EROFS')).text).toContain('read-only');
    expect(notWritable('state dir', '/s', thrown('EACCES')).text).toContain("agent's user");
    expect(notWritable('state dir', '/s', thrown('EIO')).state).toBe('failure');
  });

  test('a disk that is full, or nearly', () => {
    const room = (bavail: number, uid = 1000, ffree = 1) =>
      roomFault('d', '/s', { bsize: 4096, bavail, bfree: 1e6, files: 9, ffree }, uid)?.state;
    expect(room(255)).toBe('failure');
    expect(room(256)).toBe('warning');
    expect(room(4096)).toBeUndefined();
    expect(room(0, 0)).toBeUndefined(); // the reserve is root's
    expect(room(4096, 1000, 0)).toBe('failure');
  });
});

describe('what the agent that runs says', () => {
  const keyring = { name: 'prod', health: 'ok', last_error: null };
  const judged = (
    change: object,
    wanted: string | null = null,
    pid: number | null = 7,
    more: object = {},
  ) =>
    judgeHealth(
      {
        ...{ agent: { pid: 7 }, keyrings: [{ ...keyring, ...change }] },
        ...more,
      } as unknown as AgentStatus,
      wanted,
      pid,
    );
  const last_error = { kind: 'x', message: 'the card is gone', at: '2026-05-14T00:00:00Z' };

  test('of each keyring', () => {
    expect(judged({})).toMatchObject([{ subject: 'prod: health', state: 'ok' }]);
    const [locked] = judged({ health: 'locked', last_error });
    expect(locked?.state).toBe('warning');
    expect(locked?.text).toContain('agentctl unlock --keyring prod');
    const [unavailable] = judged({ health: 'unavailable', last_error });
    expect(unavailable?.state).toBe('failure');
    expect(unavailable?.text).toMatch(/the card is gone.*restart the agent/);
    expect(judged({}, 'ci')).toEqual([]);
  });

  test('of names that allow nobody', () => {
    const of = (...warnings: string[]) => judged({}, 'none', 7, { access: { warnings } });
    expect(of()).toMatchObject([{ subject: 'access', state: 'ok' }]);
    expect(of('access.apps: x', 'API key y')).toMatchObject([
      { subject: 'access', state: 'warning' },
      { subject: 'access', state: 'warning' },
    ]);
    expect(of('access.apps: x')[0]?.text).toMatch(/agent that runs: access.apps: x.*reload$/);
  });

  test('of its audit log', () => {
    const of = (audit: object) =>
      judged({}, 'none', 7, { audit: { enabled: true, health: 'ok', last_error: null, ...audit } });
    expect(of({})).toMatchObject([{ subject: 'audit', state: 'ok' }]);
    expect(of({ enabled: false })).toMatchObject([{ subject: 'audit', state: 'ok' }]);
    expect(of({ enabled: false })[0]?.text).toContain('off');
    const last_error = { message: 'ENOSPC', at: '2026-05-14T00:00:00Z' };
    const [unavailable] = of({ health: 'unavailable', last_error });
    expect(unavailable).toMatchObject({ subject: 'audit', state: 'failure' });
    expect(unavailable?.text).toMatch(/signs and changes nothing.*ENOSPC\. Make room/);
  });

  test('nothing, or it is another agent', () => {
    expect(judged({}, null, 8)).toMatchObject([{ subject: 'health', state: 'warning' }]);
    expect(notTold(new AgentError('forbidden', 'no'))).toMatchObject({ state: 'warning' });
    expect(notTold(new ConnectionError('timeout', 'late')).text).toMatch(/did not say.*late/);
    expect(() => notTold(new TypeError('x'))).toThrow(TypeError);
  });
});
