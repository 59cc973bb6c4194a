import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type JoinTokenVerdict, joinTokenRules } from '../../src/api/join-tokens.ts';
import {
  verifyJoinToken,
  type JoinTokenGround,
} from '../../src/cluster/join-token-verification.ts';
import { parseTrustBundle } from '../../src/cluster/trust-bundle.ts';
import type { KeyStatus } from '../../src/api/signing-backend.ts';
import {
  base64url,
  ForeignCluster,
  foreignKey,
  foreignToken,
  someClaims,
  tokenText,
  type ForeignKey,
} from '../support/foreign-cluster.ts';

const now = Date.parse('2026-05-14T18:00:00Z');
const own = foreignKey();
const other = foreignKey();
const cluster = new ForeignCluster();

let keys: Map<string, { status: KeyStatus; publicKey: Uint8Array }>;
let bundles: ForeignCluster[];
let ground: { -readonly [Member in keyof JoinTokenGround]: JoinTokenGround[Member] };

beforeEach(() => {
  keys = new Map();
  know(own, 'active');
  bundles = [cluster];
  ground = {
    now,
    keyOf: (kid) => keys.get(kid) ?? null,
    bundleOf: (domain) => {
      const found = bundles.find((one) => one.domain === domain);
      return found === undefined ? null : parseTrustBundle(found.bundle());
    },
    isRevoked: () => false,
  };
});

function know(key: ForeignKey, status: KeyStatus): void {
  keys.set(key.kid, { status, publicKey: Buffer.from(key.b64, 'base64url') });
}
const verdictOf = (token: string): Promise<JoinTokenVerdict> => verifyJoinToken(token, ground);
const ruleOf = async (token: string): Promise<unknown> => (await verdictOf(token)).rule ?? 'valid';
const federated = (certificate = cluster.certificate(other), claims = someClaims): string =>
  foreignToken(other, claims, certificate);

describe('a key of this agent', () => {
  test.each(['active', 'grace'] as const)('that is %s', async (status) => {
    know(own, status);
    expect(await verdictOf(foreignToken(own))).toEqual({
      ...{ valid: true, v: 1, kid: own.kid, claims: someClaims, via: 'local' },
    });
  });

  test.each(['prepared', 'revoked', 'retired'] as const)(
    'that is %s is refused, and no certificate brings it back',
    async (status) => {
      know(own, status);
      for (const token of [
        foreignToken(own),
        foreignToken(own, someClaims, cluster.certificate(own)),
      ]) {
        expect(await verdictOf(token)).toMatchObject({
          valid: false,
          rule: 'kid_not_valid',
          kid: own.kid,
        });
        expect(await verdictOf(token)).not.toHaveProperty('claims');
      }
    },
  );

  test('that is revoked is not brought back under another name, by a CA that calls it so', async () => {
    know(own, 'revoked');
    const renamed = { ...own, kid: '00c0ffee' };
    const token = foreignToken(renamed, someClaims, cluster.certificate(renamed));
    expect(await ruleOf(token)).toBe('chain_kid');
  });

  test('needs no certificate: one that does not hold is not looked at', async () => {
    const nobody = new ForeignCluster('nobody.example');
    const token = foreignToken(own, someClaims, nobody.certificate(other));
    expect(await verdictOf(token)).toMatchObject({ valid: true, v: 2, via: 'local' });
  });

  test('that is not known, without a certificate', async () => {
    expect(await verdictOf(foreignToken(other))).toMatchObject({ valid: false, rule: 'kid' });
  });
});

describe('a key of another cluster', () => {
  test('whose CA is trusted', async () => {
    expect(await verdictOf(federated())).toEqual({
      ...{ valid: true, v: 2, kid: other.kid, claims: someClaims },
      ...{ via: 'federated', cluster_domain: 'other.example' },
      ca_fingerprint: cluster.ca.fingerprint,
    });
  });

  test('whose cluster is not trusted', async () => {
    bundles = [new ForeignCluster('Other.example', cluster.ca)];
    expect(await ruleOf(federated())).toBe('chain_domain');
  });

  test('whose cluster has another CA than the one that is trusted', async () => {
    bundles = [new ForeignCluster('other.example')];
    expect(await ruleOf(federated())).toBe('chain_signature');
  });

  test('whose certificate was signed by a trusted CA of another domain', async () => {
    const third = new ForeignCluster('third.example');
    bundles = [cluster, third];
    expect(await ruleOf(federated(cluster.certificate(other, { by: third.ca })))).toBe(
      'chain_signature',
    );
  });

  test.each([
    ['active_pubkey_b64', foreignKey().b64],
    ['issued_at', '2026-05-14T00:00:01Z'],
    ['expires_at', '2030-01-01T00:00:00Z'],
    ['cluster_domain', 'third.example'],
  ])('whose certificate was changed: %s', async (member, changed) => {
    bundles = [cluster, new ForeignCluster('third.example', cluster.ca)];
    const certificate = JSON.parse(cluster.certificate(other)) as Record<string, string>;
    const text = JSON.stringify({ ...certificate, [member]: changed });
    expect(await ruleOf(federated(text))).toBe('chain_signature');
  });

  test('whose certificate has expired, from the nanosecond on', async () => {
    const expiring = (expires: string): Promise<unknown> =>
      ruleOf(federated(cluster.certificate(other, { expires })));
    expect(await expiring('2026-05-14T18:00:00.000000001Z')).toBe('valid');
    expect(await expiring('2026-05-14T20:00:00+02:00')).toBe('chain_expired');
    expect(await expiring('2026-05-14T17:59:59.999999999Z')).toBe('chain_expired');
  });

  test('whose certificate is of another key, or calls its key another name', async () => {
    expect(await ruleOf(federated(cluster.certificate(foreignKey())))).toBe('chain_kid');
    expect(await ruleOf(federated(cluster.certificate(foreignKey(), { kid: other.kid })))).toBe(
      'chain_kid',
    );
    expect(await ruleOf(federated(cluster.certificate(other, { kid: own.kid })))).toBe('chain_kid');
  });

  test('whose certificate is of a point of small order', async () => {
    const identity = Buffer.alloc(32);
    identity[0] = 1;
    const weak = {
      ...foreignKey(),
      b64: identity.toString('base64url'),
      kid: kidOfBytes(identity),
    };
    expect(await ruleOf(foreignToken(weak, someClaims, cluster.certificate(weak)))).toBe(
      'signature',
    );
  });

  test('is no key of another agent that is merely called the same', async () => {
    const certificate = cluster.certificate(other);
    const token = tokenText(own, someClaims, certificate).replace(own.kid, other.kid);
    expect(await ruleOf(base64url(token))).toBe('signature');
  });
});

describe('the rest', () => {
  test('claims that were not signed, or signed by another key', async () => {
    const forged = foreignToken({ ...other, kid: own.kid });
    expect(await verdictOf(forged)).toMatchObject({
      valid: false,
      rule: 'signature',
      via: 'local',
    });
    expect(await verdictOf(forged)).not.toHaveProperty('claims');
    const changed = tokenText(own, someClaims).replace('leader:3669', 'leader:3670');
    expect(await ruleOf(base64url(changed))).toBe('signature');
  });

  test('a signature with S beyond the order, which verifiers that are not strict accept', async () => {
    const text = tokenText(own, someClaims);
    const sig = /"sig":"([^"]+)"/.exec(text)?.[1] ?? '';
    const bytes = Buffer.from(sig, 'base64url');
    const order = (1n << 252n) + 27742317777372353535851937790883648493n;
    let s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
    for (let at = 32; at < 64; at += 1, s >>= 8n) bytes[at] = Number(s & 255n);
    expect(await ruleOf(base64url(text.replace(sig, bytes.toString('base64url'))))).toBe(
      'signature',
    );
  });

  test('its end, to the nanosecond', async () => {
    const ending = (exp: string): Promise<JoinTokenVerdict> =>
      verdictOf(foreignToken(own, { ...someClaims, exp }));
    expect((await ending('2026-05-14T18:00:00.000000001+00:00')).valid).toBe(true);
    const expired = await ending('2026-05-14T18:00:00Z');
    expect(expired).toMatchObject({
      valid: false,
      rule: 'expired',
      reason: 'it expired at 2026-05-14T18:00:00Z',
    });
    expect(expired.claims?.exp).toBe('2026-05-14T18:00:00Z');
    expect((await ending('2026-05-14T17:59:59.999999999+00:00')).rule).toBe('expired');
  });

  test('that it was revoked is said of a token that would hold otherwise', async () => {
    ground.isRevoked = () => true;
    expect(await verdictOf(foreignToken(own))).toMatchObject({ valid: false, rule: 'revoked' });
    expect(await ruleOf(foreignToken(own, { ...someClaims, exp: '2026-05-01T00:00:00Z' }))).toBe(
      'expired',
    );
    expect(await ruleOf(foreignToken({ ...other, kid: own.kid }))).toBe('signature');
  });

  test('what is no token, and versions that are not known', async () => {
    expect(await verdictOf('no token')).toEqual({
      ...{ valid: false, rule: 'format', reason: 'it is not base64 of UTF-8 text' },
    });
    expect(await ruleOf(base64url(tokenText(own, someClaims).replace('"v":1', '"v":9')))).toBe(
      'version',
    );
  });

  test('every rule is one of those that are documented', async () => {
    expect(new Set(joinTokenRules).size).toBe(joinTokenRules.length);
    await fc.assert(
      fc.asyncProperty(fc.string(), async (given) => {
        const { valid, rule } = await verdictOf(given);
        expect(valid).toBe(false);
        expect(joinTokenRules).toContain(rule);
      }),
    );
  });

  test('one changed character makes no other token of it', async () => {
    for (const token of [foreignToken(own), federated()]) {
      const alphabet = 'ABCXYZabcxyz0189-_+/= \n.{}'.split('');
      await fc.assert(
        fc.asyncProperty(
          fc.nat(token.length - 1),
          fc.constantFrom(...alphabet),
          async (at, character) => {
            const changed = token.slice(0, at) + character + token.slice(at + 1);
            const verdict = await verdictOf(changed);
            if (verdict.valid) expect(verdict).toEqual(await verdictOf(token));
          },
        ),
        { numRuns: 1000 },
      );
    }
  });
});

function kidOfBytes(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 8);
}
