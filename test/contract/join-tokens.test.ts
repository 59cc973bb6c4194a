import { createPublicKey } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MintedJoinToken } from '../../src/api/join-tokens.ts';
import { parseCaCert } from '../../src/cluster/ca-cert.ts';
import { JoinTokens, type JoinTokenRequest } from '../../src/cluster/join-tokens.ts';
import { RevokedTokens } from '../../src/cluster/revoked-tokens.ts';
import { readTrustBundle } from '../../src/cluster/trust-bundles.ts';
import { ClusterRig } from '../support/cluster-rig.ts';
import {
  ForeignCluster,
  foreignKey,
  foreignToken,
  isTokenOf,
  someClaims,
  textsOf,
  type ForeignKey,
} from '../support/foreign-cluster.ts';

let rig: ClusterRig;
beforeEach(async () => {
  rig = await new ClusterRig().open();
});
afterEach(() => rig.remove());

const texts = textsOf(someClaims);
const mint = (wanted: Partial<JoinTokenRequest> = {}): Promise<MintedJoinToken> =>
  rig.joinTokens.mint({ claims: texts, ttlSeconds: undefined, federated: false, ...wanted });

/** The agent's active key as others know it, from its public half alone. */
async function activeKey(): Promise<ForeignKey> {
  const kid = rig.keyring.activeKid();
  const b64 = (await rig.keyring.publicKeyB64(kid)) ?? '';
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: b64 }, format: 'jwk' });
  return { ...foreignKey(), publicKey, b64, kid };
}

async function trust(cluster: ForeignCluster): Promise<void> {
  const read = readTrustBundle(cluster.bundle());
  if ('fault' in read) throw new Error(read.fault);
  await rig.trustBundles.import(read, false);
}

describe('a token that is minted here', () => {
  test('is read by others, byte for byte', async () => {
    const { publicKey, kid } = await activeKey();
    const minted = await mint();
    const claims = { ...texts, iat: '2026-05-14T17:55:00.000Z', exp: '2026-05-15T17:55:00.000Z' };
    expect(minted).toEqual({ token: minted.token, kid, expires_at: claims.exp, v: 1 });
    expect(isTokenOf(minted.token, publicKey, kid, claims)).toBe(true);
  });

  test.each([
    ['times with nine digits and an offset', {}],
    ['other scripts', { iss: 'führer-näh €😀', overlay_cidr: 'מערכת' }],
    ['what JSON escapes', { iss: '"\\\u0000\b\f\n\r\t\u001f/', api_endpoint: '\u007f\u2028<>&' }],
    ['nothing', { iss: '', raft_endpoint: '' }],
  ])('with %s in its claims', async (_, changed) => {
    const claims = { ...someClaims, ...changed };
    const { publicKey, kid } = await activeKey();
    const { token, expires_at } = await mint({ claims });
    expect(expires_at).toBe(someClaims.exp);
    expect(isTokenOf(token, publicKey, kid, claims)).toBe(true);
    expect(await rig.joinTokens.verify(token)).toMatchObject({ valid: true, claims, via: 'local' });
  });

  test('carries the certificate of its key as the CA wrote it', async () => {
    const own = new ForeignCluster('prod.example');
    const key = await activeKey();
    const certificate = own.certificate(key);
    rig.certificates.set(key.kid, parseCaCert(certificate));
    const { token, ...said } = await mint({ federated: true });
    expect(said).toEqual({
      kid: key.kid,
      expires_at: '2026-05-15T17:55:00.000Z',
      v: 2,
      chain_expires_at: '2026-06-14T00:00:00.000000001+00:00',
    });
    const text = Buffer.from(token, 'base64url').toString('utf8');
    expect(text.startsWith('{"v":2,')).toBe(true);
    expect(text.endsWith(`,"ca_chain":${certificate}}`)).toBe(true);
    expect(await rig.joinTokens.verify(token)).toMatchObject({ valid: true, v: 2, via: 'local' });
  });

  test('is no federated one without a certificate', async () => {
    await expect(mint({ federated: true })).rejects.toMatchObject({
      kind: 'not_found',
      message: expect.stringMatching(/agentctl ca issue/) as string,
    });
  });

  test('is not longer than others read', async () => {
    const claims = { ...texts, iss: 'x'.repeat(60_000) };
    await expect(mint({ claims })).rejects.toMatchObject({
      kind: 'too_large',
      details: { limit: 65_536 },
    });
  });

  test('has the kid of the key that signed it, when the key is rotated away meanwhile', async () => {
    const { keyring } = rig;
    const before = keyring.activeKid();
    let rotated = false;
    const joinTokens = new JoinTokens({
      // Whoever rotates is faster than the signature.
      keyring: () => ({
        activeKid: () => keyring.activeKid(),
        keyOf: (kid) => keyring.keyOf(kid),
        trustedNow: () => keyring.trustedNow(),
        sign: async (message, kid) => {
          if (!rotated) await keyring.rotate(0);
          rotated = true;
          return keyring.sign(message, kid);
        },
      }),
      certificates: { certificateFor: () => null, issueDue: () => Promise.resolve() },
      bundles: rig.trustBundles,
      longestSeconds: 3600,
      revoked: new RevokedTokens({
        opened: () => null,
        openOrCreate: () => Promise.reject(new Error()),
      }),
    });
    const minted = await joinTokens.mint({ claims: texts, ttlSeconds: 60, federated: false });
    expect(minted.kid).not.toBe(before);
    expect(await rig.joinTokens.verify(minted.token)).toMatchObject({
      valid: true,
      kid: minted.kid,
    });
  });

  test('while keys are rotated at the same time', async () => {
    const work = Array.from({ length: 20 }, async (_, at) => {
      if (at % 4 === 3) await rig.keyring.rotate(3600);
      return mint();
    });
    for (const { token, kid } of await Promise.all(work)) {
      expect(await rig.joinTokens.verify(token)).toMatchObject({ valid: true, kid });
    }
  });
});

describe('the life of a token', () => {
  test('goes on in the grace of its key, and ends with it', async () => {
    const { token } = await mint();
    await rig.keyring.rotate(3600);
    expect(await rig.joinTokens.verify(token)).toMatchObject({ valid: true });
    rig.clock.advance(3600);
    expect(await rig.joinTokens.verify(token)).toMatchObject({
      valid: false,
      rule: 'kid_not_valid',
    });
  });

  test('ends with its key that is revoked', async () => {
    const { token, kid } = await mint();
    await rig.keyring.revoke(kid);
    expect(await rig.joinTokens.verify(token)).toMatchObject({ rule: 'kid_not_valid', kid });
  });

  test('ends at its time, and a clock that is set back does not bring it back', async () => {
    const { token } = await mint({ ttlSeconds: 60 });
    rig.clock.advance(59);
    expect((await rig.joinTokens.verify(token)).valid).toBe(true);
    rig.clock.advance(1);
    expect(await rig.joinTokens.verify(token)).toMatchObject({ valid: false, rule: 'expired' });
    rig.clock.set(-3600);
    expect(await rig.joinTokens.verify(token)).toMatchObject({ valid: false, rule: 'expired' });
  });
});

describe('a token of another cluster', () => {
  const cluster = new ForeignCluster();
  const key = foreignKey();
  const token = foreignToken(key, someClaims, cluster.certificate(key));

  test('verifies from the import of its bundle to its removal', async () => {
    expect(await rig.joinTokens.verify(token)).toMatchObject({ rule: 'chain_domain' });
    await trust(cluster);
    expect(await rig.joinTokens.verify(token)).toEqual({
      ...{ valid: true, v: 2, kid: key.kid, claims: someClaims },
      ...{ via: 'federated', cluster_domain: 'other.example' },
      ca_fingerprint: cluster.ca.fingerprint,
    });
    await rig.trustBundles.remove('other.example');
    expect(await rig.joinTokens.verify(token)).toMatchObject({ rule: 'chain_domain' });
  });

  test('with the kid of a key of this agent that is valid no more is refused', async () => {
    await trust(cluster);
    const { token: minted, kid } = await mint();
    await rig.keyring.revoke(kid);
    const document = JSON.parse(Buffer.from(minted, 'base64url').toString()) as object;
    const b64 = rig.keyring.keyOf(kid)?.publicKey ?? Buffer.alloc(0);
    const own = { ...key, kid, b64: Buffer.from(b64).toString('base64url') };
    const chain: unknown = JSON.parse(cluster.certificate(own));
    const federated = JSON.stringify({ ...document, v: 2, ca_chain: chain });
    const verdict = await rig.joinTokens.verify(Buffer.from(federated).toString('base64url'));
    expect(verdict).toMatchObject({ valid: false, rule: 'kid_not_valid' });
  });
});

describe('the longest life', () => {
  const week = 7 * 24 * 3600;

  test('is 7 days from now on, however it is asked for', async () => {
    expect((await mint({ ttlSeconds: week })).expires_at).toBe('2026-05-21T17:55:00.000Z');
    const exp = '2026-05-21T17:55:00Z';
    expect((await mint({ claims: { ...texts, exp } })).expires_at).toBe(exp);
  });

  test.each<[string, Partial<JoinTokenRequest>]>([
    ['a time to live', { ttlSeconds: week + 1 }],
    ['an end', { claims: { ...texts, exp: '2026-05-21T17:55:01Z' } }],
    [
      'an end after a late beginning',
      { ttlSeconds: 60, claims: { ...texts, iat: '2026-06-01T00:00:00Z' } },
    ],
    [
      'an end long after an early beginning',
      { claims: { ...texts, exp: '2030-01-01T00:00:00Z', iat: '2029-12-31T00:00:00Z' } },
    ],
  ])('is not exceeded by %s', async (_, wanted) => {
    await expect(mint(wanted)).rejects.toMatchObject({
      kind: 'invalid_params',
      message: expect.stringContaining('7d from now on is the most') as string,
    });
  });
});
