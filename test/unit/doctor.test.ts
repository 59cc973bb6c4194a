import { describe, expect, test } from 'vitest';
import { checkClock, checkRecordedTime } from '../../src/cli/doctor/clock.ts';
import { checkLimits } from '../../src/cli/doctor/limits.ts';
import { judgeProbe } from '../../src/cli/doctor/token.ts';
import type { TokenProbe } from '../../src/vault/pkcs11/probe.ts';

const token: TokenProbe = {
  label: 'prod',
  serial: '1',
  writeProtected: false,
  generates: true,
  signs: true,
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
    expect(judgeProbe(keyring, { outcome: 'no_token', reason: 'none' })).toEqual([
      { subject: 'prod: token', state: 'failure', text: 'none' },
    ]);
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
