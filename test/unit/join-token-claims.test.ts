import { describe, expect, test } from 'vitest';
import { claimsFor } from '../../src/cluster/join-token-claims.ts';

const now = Date.parse('2026-05-14T18:00:00Z');
const texts = {
  api_endpoint: 'https://leader:3669',
  raft_endpoint: '10.0.0.1:3670',
  leader_wg_pubkey: 'wg',
  overlay_cidr: '10.42.0.0/16',
  iss: 'leader',
};

describe('the times of a token', () => {
  test('are now and a day later', () => {
    expect(claimsFor(texts, undefined, now)).toEqual({
      ...texts,
      iat: '2026-05-14T18:00:00.000Z',
      exp: '2026-05-15T18:00:00.000Z',
    });
  });

  test('are as they were given, letter by letter', () => {
    const times = { iat: '2026-05-14T19:00:00.000000000+01:00', exp: '2026-05-14t18:00:01.5z' };
    expect(claimsFor({ ...texts, ...times }, undefined, now)).toEqual({ ...texts, ...times });
  });

  test('end so many seconds after it was issued', () => {
    expect(claimsFor(texts, 900, now).exp).toBe('2026-05-14T18:15:00.000Z');
    const iat = '2026-05-14T17:59:00Z';
    expect(claimsFor({ ...texts, iat }, 90, now)).toMatchObject({
      iat,
      exp: '2026-05-14T18:00:30.000Z',
    });
  });

  test.each([
    ['an end that has come', { exp: '2026-05-14T18:00:00Z' }, undefined, 'claims.exp'],
    [
      'an end that comes by the time to live',
      { iat: '2026-05-13T18:00:00Z' },
      86_400,
      'claims.exp',
    ],
    [
      'an end before it is issued',
      { iat: '2026-06-01T00:00:00Z', exp: '2026-05-20T00:00:00Z' },
      undefined,
      'claims.iat',
    ],
    ['both an end and a time to live', { exp: '2026-05-20T00:00:00Z' }, 60, 'ttl_seconds'],
    ['an end beyond the year 9999', { iat: '9999-12-31T23:59:59Z' }, 60, 'ttl_seconds'],
  ])('refuse %s', (_, times, ttl, field) => {
    expect(() => claimsFor({ ...texts, ...times }, ttl, now)).toThrow(
      expect.objectContaining({
        kind: 'invalid_params',
        details: { issues: [{ field, message: expect.any(String) as string }] },
      }) as Error,
    );
  });
});
