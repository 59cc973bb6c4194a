import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RevokedTokenView } from '../../src/api/join-tokens.ts';
import { decodeJoinToken } from '../../src/cluster/join-token.ts';
import { readTrustBundle } from '../../src/cluster/trust-bundles.ts';
import { RevokedTokenTable } from '../../src/database/revoked-token-table.ts';
import { ClusterRig } from '../support/cluster-rig.ts';
import {
  base64url,
  ForeignCluster,
  foreignKey,
  foreignToken,
  someClaims,
  textsOf,
  tokenText,
} from '../support/foreign-cluster.ts';

let rig: ClusterRig;
const cluster = new ForeignCluster();
const key = foreignKey();

beforeEach(async () => {
  rig = await new ClusterRig().open();
  const read = readTrustBundle(cluster.bundle());
  if ('fault' in read) throw new Error(read.fault);
  await rig.trustBundles.import(read, false);
});
afterEach(() => rig.remove());

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const ruleOf = async (token: string): Promise<string> =>
  (await rig.joinTokens.verify(token)).rule ?? 'valid';

function byToken(given: string): Promise<RevokedTokenView> {
  const decoded = decodeJoinToken(given);
  if ('rule' in decoded) throw new Error(decoded.reason);
  return rig.joinTokens.revoke({ given, token: decoded.token });
}
const byHash = (hash: string): Promise<RevokedTokenView> => rig.joinTokens.revoke({ hash });

async function minted(iss = 'leader', ttlSeconds = 86_400): Promise<string> {
  const claims = { ...textsOf(someClaims), iss };
  return (await rig.joinTokens.mint({ claims, ttlSeconds, federated: false })).token;
}

type Document = Record<string, unknown> & { readonly claims: object; readonly sig: string };
const documentOf = (token: string): Document =>
  JSON.parse(Buffer.from(token, 'base64url').toString()) as Document;
const standard = (token: string): string => Buffer.from(token, 'base64url').toString('base64');
const reversed = (document: object): object =>
  Object.fromEntries(
    Object.entries(document)
      .reverse()
      .map(([name, value]) => [
        name,
        typeof value === 'object' ? reversed(value as object) : value,
      ]),
  );

/** What the bearer of a token can write in its place, without any key. */
const respellings: readonly (readonly [string, (token: string) => string])[] = [
  ['as it is', (token) => token],
  ['with space around it', (token) => `\n ${token}\t\r\n`],
  ['in standard base64, padded', standard],
  ['in standard base64', (token) => standard(token).replace(/=+$/, '')],
  ['in base64url, padded', (token) => standard(token).replaceAll('+', '-').replaceAll('/', '_')],
  [
    'with its members in another order',
    (token) => base64url(JSON.stringify(reversed(documentOf(token)))),
  ],
  ['with space in its JSON', (token) => base64url(JSON.stringify(documentOf(token), null, 2))],
  [
    'with its texts escaped',
    (token) => base64url(JSON.stringify(documentOf(token)).replace('leader', '\\u006ceader')),
  ],
  [
    'with another spelling of its signature',
    (token) => {
      const document = documentOf(token);
      return base64url(JSON.stringify({ ...document, sig: standard(document.sig) }));
    },
  ],
  [
    'with its version written as 1e0',
    (token) => base64url(JSON.stringify(documentOf(token)).replace('"v":1,', '"v":1e0,')),
  ],
];
const padding = ['leader', 'leader1', 'leader12', 'leader>>>???'];

describe.each([
  ['by the token', byToken],
  ['by its hash', (token: string) => byHash(sha256(token))],
])('a token that is revoked %s', (_, revoke) => {
  test.each(respellings)('is refused %s', async (_name, respell) => {
    for (const iss of padding) {
      const token = await minted(iss);
      const presented = respell(token);
      expect(await ruleOf(presented)).toBe('valid');
      await revoke(token);
      expect(await ruleOf(presented)).toBe('revoked');
    }
  });

  test('is refused with any certificate put in', async () => {
    const token = await minted();
    const chain: unknown = JSON.parse(cluster.certificate(key));
    const federated = base64url(JSON.stringify({ ...documentOf(token), v: 2, ca_chain: chain }));
    expect(await ruleOf(federated)).toBe('valid');
    await revoke(token);
    expect(await ruleOf(federated)).toBe('revoked');
  });

  test('is the only one that is', async () => {
    const token = await minted('one');
    const another = await minted('another');
    await revoke(token);
    expect(await ruleOf(another)).toBe('valid');
    await rig.keyring.rotate(3600);
    expect(await ruleOf(await minted('one'))).toBe('valid'); // the same claims, signed by another key
  });

  test('is refused by an agent that is started again', async () => {
    const token = await minted();
    await revoke(token);
    await rig.close();
    rig = await new ClusterRig({ folder: rig.folder, clock: rig.clock }).open();
    expect(await ruleOf(token)).toBe('revoked');
  });
});

describe('a federated token that is revoked', () => {
  const token = foreignToken(key, someClaims, cluster.certificate(key));
  const other = foreignToken(
    key,
    someClaims,
    cluster.certificate(key, { expires: '2026-07-01T00:00:00Z' }),
  );

  test('is refused with another certificate, and without one', async () => {
    expect([await ruleOf(token), await ruleOf(other)]).toEqual(['valid', 'valid']);
    await byToken(token);
    expect([await ruleOf(token), await ruleOf(other)]).toEqual(['revoked', 'revoked']);
    await byToken(await ownFederated());
    expect(await ruleOf(ownToken)).toBe('revoked');
  });

  test('in either spelling of the certificate', async () => {
    await byHash(sha256(token));
    const text = Buffer.from(token, 'base64url').toString();
    const sig = /"sig_by_ca":"([^"]+)"/.exec(text)?.[1] ?? '';
    expect(await ruleOf(base64url(text.replace(sig, standard(sig))))).toBe('revoked');
  });

  test('by the hash of its form without a certificate', async () => {
    await byHash(sha256(base64url(tokenText(key, someClaims))));
    expect([await ruleOf(token), await ruleOf(other)]).toEqual(['revoked', 'revoked']);
  });

  test('by its hash alone is not refused with another certificate, or without: nobody can tell from the hash', async () => {
    await byHash(sha256(token));
    expect([await ruleOf(token), await ruleOf(other)]).toEqual(['revoked', 'valid']);
    await byToken(token);
    expect(await ruleOf(other)).toBe('revoked');
    const own = await ownFederated();
    await byHash(sha256(own));
    expect([await ruleOf(own), await ruleOf(ownToken)]).toEqual(['revoked', 'valid']);
  });

  let ownToken = '';
  /** One of this agent's, which a foreign certificate stands in: that is not looked at. */
  async function ownFederated(): Promise<string> {
    ownToken = await minted();
    const chain: unknown = JSON.parse(cluster.certificate(key));
    return base64url(JSON.stringify({ ...documentOf(ownToken), v: 2, ca_chain: chain }));
  }
});

describe('how long', () => {
  test('until it expires, where the token is known', async () => {
    const token = foreignToken(key, someClaims, cluster.certificate(key));
    expect(await byToken(` ${token}\n`)).toEqual({
      hash: sha256(token),
      by: 'token',
      kid: key.kid,
      revoked_at: '2026-05-14T17:55:00.000Z',
      expires_at: someClaims.exp,
    });
    rig.clock.advance(86_400);
    expect((await rig.joinTokens.revocations()).revocations).toHaveLength(1);
    expect(await ruleOf(token)).toBe('revoked');
    rig.clock.advance(1);
    expect(await ruleOf(token)).toBe('expired');
    expect(await rig.joinTokens.revocations()).toEqual({ revocations: [] });
  });

  test('for 24 hours, where only the hash is known', async () => {
    const token = await minted('leader', 7 * 86_400);
    expect(await byHash(sha256(token))).toMatchObject({
      by: 'hash',
      kid: null,
      expires_at: '2026-05-15T17:55:00.000Z',
    });
    rig.clock.advance(86_399);
    expect(await ruleOf(token)).toBe('revoked');
    rig.clock.advance(1);
    expect(await ruleOf(token)).toBe('valid');
  });

  test('never shorter than it was before', async () => {
    const token = await minted('leader', 7 * 86_400);
    const ends = '2026-05-21T17:55:00.000Z';
    await byHash(sha256(token));
    expect(await byToken(token)).toMatchObject({ by: 'token', expires_at: ends });
    rig.clock.advance(3600);
    expect(await byHash(sha256(token))).toMatchObject({ by: 'token', expires_at: ends });
    const other = await minted('other', 60);
    await byHash(sha256(other));
    expect(await byToken(other)).toMatchObject({ expires_at: '2026-05-15T18:55:00.000Z' });
  });

  test('what has expired is removed by the next revocation', async () => {
    await byToken(await minted('leader', 60));
    rig.clock.advance(60);
    await byHash('0'.repeat(64));
    const database = await rig.database.openOrCreate();
    expect(database.rows('SELECT hash FROM revoked_tokens')).toEqual([{ hash: '0'.repeat(64) }]);
  });

  test('a clock that is set back while no agent runs does not bring back what was removed', async () => {
    const token = await minted('leader', 60);
    await byToken(token);
    rig.clock.advance(61);
    await rig.joinTokens.revocations();
    await rig.close();
    rig.clock.set(-3600);
    rig = await new ClusterRig({ folder: rig.folder, clock: rig.clock }).open();
    expect(await ruleOf(token)).toBe('expired');
  });

  test('a clock that once ran years ahead leaves no more than the end of what was removed', async () => {
    const years = 10 * 365 * 86_400;
    const token = await minted('leader', 60);
    await byToken(token);
    await rig.close();
    rig.clock.advance(years);
    rig = await new ClusterRig({ folder: rig.folder, clock: rig.clock }).open();
    expect(await rig.joinTokens.revocations()).toEqual({ revocations: [] });
    await rig.close();
    rig.clock.set(-years);
    rig = await new ClusterRig({ folder: rig.folder, clock: rig.clock }).open();
    expect(await ruleOf(token)).toBe('expired');
    const ends = documentOf(token).claims as { exp: string };
    expect(documentOf(await minted()).claims).toMatchObject({ iat: ends.exp });
    rig.clock.advance(3600);
    const now = new Date(rig.clock.now()).toISOString();
    expect(documentOf(await minted()).claims).toMatchObject({ iat: now });
  });

  test('nor does one that is set back while it runs', async () => {
    const token = await minted('leader', 7200);
    await byHash(sha256(token));
    rig.clock.set(-86_400);
    expect(await ruleOf(token)).toBe('revoked');
    rig.clock.advance(3600);
    expect((await rig.joinTokens.revocations()).revocations).toHaveLength(1);
  });
});

describe('the list', () => {
  test('has the last thousand, the last one first, and says how many more there are', async () => {
    const table = new RevokedTokenTable(await rig.database.openOrCreate());
    await table.atomically(() => {
      for (let at = 0; at < 1005; at += 1) table.put(entry(at));
    });
    const { revocations, older } = await rig.joinTokens.revocations();
    expect(older).toBe(5);
    expect(revocations).toHaveLength(1000);
    expect(revocations[0]?.hash).toBe(entry(1004).hash);
  });

  test('has at most a hundred thousand', async () => {
    const database = await rig.database.openOrCreate();
    database.run(
      `WITH RECURSIVE counted(at) AS (SELECT 0 UNION ALL SELECT at + 1 FROM counted WHERE at < 99999)
        INSERT INTO revoked_tokens SELECT printf('%064x', at), NULL, NULL, ?, ?, ? FROM counted`,
      entry(0).revokedAt,
      entry(0).expiresAt,
      entry(0).expiresMs,
    );
    await expect(byHash('f'.repeat(64))).rejects.toMatchObject({
      kind: 'too_large',
      details: { limit: 100_000 },
    });
    expect(await byHash(entry(7).hash)).toMatchObject({ hash: entry(7).hash });
    const token = await minted();
    expect(await ruleOf(token)).toBe('valid');
  });

  function entry(at: number): Parameters<RevokedTokenTable['put']>[0] {
    return {
      hash: at.toString(16).padStart(64, '0'),
      signed: null,
      kid: null,
      revokedAt: new Date(Date.UTC(2026, 4, 1) + at * 1000).toISOString(),
      expiresAt: '2026-06-01T00:00:00Z',
      expiresMs: Date.UTC(2026, 5, 1),
    };
  }
});
