import { createHash, createPublicKey } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AccessRuleNames } from '../../src/access/access-rules.ts';
import type { Caller } from '../../src/access/caller.ts';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import {
  parsePurpose,
  purposeNames,
  type Purpose,
  type Purposes,
} from '../../src/access/purposes.ts';
import { claimsSignedBytes } from '../../src/cluster/join-token.ts';
import { decodeSignatureFile, globalMessage } from '../../src/formats/minisign/signature.ts';
import { decodePublicKey, decodeSignature } from '../../src/formats/ssh/public-key.ts';
import { decodeSshsig, sshsigMessage } from '../../src/formats/ssh/sshsig.ts';
import { sshString } from '../../src/formats/ssh/wire.ts';
import type { Answer } from '../support/line-client.ts';
import { RequestRig } from '../support/request-rig.ts';

const b64 = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64url');
const digest = createHash('sha512').update('a file').digest();
const context = { namespace: 'file', reserved: Buffer.alloc(0), hash: 'sha512' } as const;

/** A message of each purpose. */
const messages: Readonly<Record<string, Buffer>> = {
  'ssh-login': Buffer.concat([
    ...[sshString('a session'), Buffer.of(50), sshString('ada'), sshString('ssh-connection')],
    ...[sshString('publickey'), Buffer.of(1), sshString('ssh-ed25519'), sshString('a key')],
  ]),
  'ssh-cert': Buffer.concat([sshString('ssh-ed25519-cert-v01@openssh.com'), sshString('nonce')]),
  'sshsig:file': sshsigMessage(context, digest),
  jwt: Buffer.from(`${b64('{"alg":"EdDSA"}')}.${b64('{"sub":"ada"}')}`),
  jws: Buffer.from(`${b64('{"alg":"EdDSA"}')}.${b64('a text')}`),
  'join-token': claimsSignedBytes({
    ...{ api_endpoint: 'https://leader:3669', raft_endpoint: '10.0.0.1:3670' },
    ...{ leader_wg_pubkey: 'wg', overlay_cidr: '10.42.0.0/16', iss: 'leader' },
    ...{ exp: '2030-01-01T00:00:00Z', iat: '2026-01-01T00:00:00Z' },
  }),
  x509: Buffer.from('300a0201013000300017023030', 'hex'),
  minisign: digest,
};

let rig: RequestRig;
beforeAll(async () => {
  rig = await new RequestRig(`[cluster]
domain = "prod.example"
keyring = "cluster"
[keyrings.default]
[keyrings.cluster]
[keyrings.tokens]
[keyrings.tokens.jwt]
issuer = "https://agent.example"
audiences = ["https://api.example"]
longest_life = "15m"
[keyrings.several]
[keyrings.several.jwt]
audiences = ["a", "b"]
[keyrings.nothing]
purposes = []
`).open();
});
afterAll(() => rig.remove());
beforeEach(() => {
  rig.events.length = 0;
  rig.signatures = 0;
});

/** A user who may have that signed, on those keyrings. */
function whoHas(purposes: readonly string[], keyrings: readonly string[] | null = null): Caller {
  const set: Purposes = new Set(
    purposes.map((text) => parsePurpose(text)).filter((one) => one !== null),
  );
  const rule: AccessRuleNames = { who: ['1001'], scope: 'app', keyrings, purposes: set };
  rig.access.configure({ rules: [rule] });
  return rig.access.connect(1001);
}

const root = (): Caller => rig.access.connect(0);

function sign(caller: Caller, message: Uint8Array, keyring = 'default'): Promise<Answer> {
  return rig.call(caller, 'sign', { keyring, message_b64: b64(message) });
}

async function publicKeyOf(keyring: string): Promise<Buffer> {
  const { result } = await rig.call(root(), 'list_valid_pubkeys', { keyring });
  const [key] = result?.['keys'] as { public_key_b64: string }[];
  return Buffer.from(key?.public_key_b64 ?? '', 'base64url');
}

test('there is a message of every purpose that bytes can be told for', () => {
  const names = Object.keys(messages).map((purpose) => purpose.split(':')[0]);
  expect([...names, 'raw'].sort()).toEqual([...purposeNames].sort());
});

describe.each(Object.entries(messages))('bytes that are %s', (purpose, message) => {
  test('are signed for who has raw and that, and for who has everything', async () => {
    for (const caller of [root(), whoHas(['raw', purpose]), whoHas([...purposeNames])]) {
      expect((await sign(caller, message)).error).toBeUndefined();
    }
    expect(rig.signatures).toBe(3);
  });

  test('are not for who has raw alone, or all but that; nor in a batch with others', async () => {
    const name = purpose.split(':')[0] ?? '';
    const others = purposeNames.filter((one) => one !== name);
    for (const held of [['raw'], others]) {
      const caller = whoHas(held);
      const { error } = await sign(caller, message);
      expect(error?.data).toMatchObject({ kind: 'forbidden', purpose, purposes: held });
      expect(error?.message).toContain(`needs purpose ${purpose} too`);
      const messages_b64 = [b64('hello'), b64(message)];
      const batch = await rig.call(caller, 'sign_batch', { messages_b64 });
      expect(batch.error?.data).toMatchObject({ kind: 'forbidden', purpose });
      expect((await sign(caller, Buffer.from('hello'))).error).toBeUndefined();
    }
    expect(rig.signatures).toBe(2);
    const refused = rig.events.filter(({ outcome }) => outcome === 'refused');
    expect(refused).toHaveLength(4);
    expect(refused[0]).toMatchObject({ method: 'sign', keyring: 'default', kind: 'forbidden' });
  });

  test('are not for who has that and not raw', async () => {
    const { error } = await sign(whoHas([purpose]), message);
    expect(error?.data).toMatchObject({ kind: 'forbidden', purpose: 'raw', purposes: [purpose] });
    expect(rig.signatures).toBe(0);
  });
});

test('a namespace is itself alone, and sshsig is every one', async () => {
  const message = messages['sshsig:file'] ?? digest;
  expect((await sign(whoHas(['raw', 'sshsig']), message)).error).toBeUndefined();
  const { error } = await sign(whoHas(['raw', 'sshsig:git']), message);
  expect(error?.data).toMatchObject({ purpose: 'sshsig:file', purposes: ['raw', 'sshsig:git'] });
});

test('a keyring that is for nothing signs for nobody, root included', async () => {
  for (const caller of [root(), whoHas([...purposeNames]), rig.access.connect(900)]) {
    const { error } = await sign(caller, Buffer.from('hello'), 'nothing');
    expect(error?.data).toMatchObject({ kind: 'forbidden', purpose: 'raw', purposes: [] });
    expect(error?.message).toContain('has purposes: none');
  }
  // It is looked after all the same.
  const rotated = await rig.call(root(), 'rotate', { keyring: 'nothing', grace_seconds: 0 });
  expect(rotated.error).toBeUndefined();
});

test('who asks for bytes as they are is told what makes the formats that there are', async () => {
  const { error } = await sign(whoHas(['minisign', 'sshsig:file']), Buffer.from('x'));
  expect(error?.message).toContain('sign: it needs purpose raw; on keyring default');
  expect(error?.message).toContain('sign_minisign (agentctl sign --format minisign)');
  expect(error?.message).toContain('sign_sshsig (agentctl sign --format sshsig)');
});

describe('what the configuration words, nobody words in bytes', () => {
  test('a JWT of a keyring whose tokens are fixed', async () => {
    const jwt = messages['jwt'] ?? digest;
    for (const keyring of ['tokens', 'several']) {
      const { error } = await sign(root(), jwt, keyring);
      expect(error?.data).toMatchObject({ kind: 'forbidden', purpose: 'jwt' });
      expect(error?.message).toContain('jwt_sign (agentctl jwt sign)');
      const payload_b64 = b64('{"sub":"ada"}');
      const jws = await rig.call(root(), 'sign_jws', { keyring, payload_b64 });
      expect(jws.error?.data).toMatchObject({ kind: 'forbidden', purpose: 'jwt' });
      expect((await sign(root(), messages['jws'] ?? digest, keyring)).error).toBeUndefined();
    }
  });

  test("a join token of the cluster's keyring", async () => {
    const { error } = await sign(root(), messages['join-token'] ?? digest, 'cluster');
    expect(error?.data).toMatchObject({ kind: 'forbidden', purpose: 'join-token' });
    expect(error?.message).toContain('join_token_mint');
    expect(rig.signatures).toBe(0);
  });
});

describe('sign_sshsig', () => {
  const params = { namespace: 'file', hash_algorithm: 'sha512', digest_b64: b64(digest) };

  test('is an SSH signature of the file in that namespace', async () => {
    const { result } = await rig.call(whoHas(['sshsig:file']), 'sign_sshsig', params);
    const made = decodeSshsig(result?.['sshsig'] as string);
    expect(made).toMatchObject({ namespace: 'file', hash: 'sha512' });
    const key = decodePublicKey(made.publicKey)?.bytes ?? Buffer.alloc(0);
    expect(key).toEqual(await publicKeyOf('default'));
    const raw = decodeSignature(made.signature)?.raw ?? Buffer.alloc(0);
    expect(algorithms.ed25519.verify(sshsigMessage(context, digest), raw, key)).toBe(true);
    expect(result).toMatchObject({ kid: await rig.activeKid('default'), signature_b64: b64(raw) });
    expect(rig.events).toMatchObject([
      { method: 'sign_sshsig', outcome: 'done', messages: [sshsigMessage(context, digest)] },
    ]);
  });

  test('needs that namespace, or all', async () => {
    const call = (held: string[]): Promise<Answer> => rig.call(whoHas(held), 'sign_sshsig', params);
    for (const held of [['sshsig'], ['sshsig:file', 'jwt']]) {
      expect((await call(held)).error).toBeUndefined();
    }
    for (const held of [['raw'], ['sshsig:git'], ['minisign'], []]) {
      const { error } = await call(held);
      expect(error?.data).toMatchObject({
        kind: 'forbidden',
        purpose: 'sshsig:file',
        purposes: held,
      });
    }
  });

  test.each([
    ['a digest of another length', { digest_b64: b64(digest.subarray(1)) }, 'digest_b64'],
    ['another hash', { hash_algorithm: 'sha256' }, 'digest_b64'],
    ['a hash that there is not', { hash_algorithm: 'md5' }, 'hash_algorithm'],
    ['no namespace', { namespace: '' }, 'namespace'],
    ['a namespace of two lines', { namespace: 'file\ngit' }, 'namespace'],
  ])('refuses %s', async (_, change, field) => {
    const { error } = await rig.call(root(), 'sign_sshsig', { ...params, ...change });
    expect(error?.data).toMatchObject({ kind: 'invalid_params', issues: [{ field }] });
    expect(rig.signatures).toBe(0);
  });

  test('is by the key that is named, and by no key that is not valid', async () => {
    const { error } = await rig.call(root(), 'sign_sshsig', { ...params, kid: '00000000' });
    expect(error?.data.kind).toBe('unknown_kid');
  });
});

describe('sign_minisign', () => {
  const params = { digest_b64: b64(digest), trusted_comment: 'timestamp:1\thashed' };

  test('is a signature file, whose comment is covered', async () => {
    const { result } = await rig.call(whoHas(['minisign']), 'sign_minisign', params);
    const made = decodeSignatureFile(Buffer.from(result?.['minisig'] as string));
    const key = await publicKeyOf('default');
    const comment = Buffer.from(params.trusted_comment);
    expect(made).toMatchObject({ isPrehashed: true, trustedComment: comment });
    expect(algorithms.ed25519.verify(digest, made.signature, key)).toBe(true);
    const covered = globalMessage(made.signature, comment);
    expect(algorithms.ed25519.verify(covered, made.globalSignature, key)).toBe(true);
    expect(result).toMatchObject({
      signature_b64: b64(made.signature),
      global_signature_b64: b64(made.globalSignature),
    });
    expect(rig.signatures).toBe(2);
    expect(rig.events).toMatchObject([{ outcome: 'done', messages: [digest, covered] }]);
  });

  test('needs that purpose', async () => {
    const { error } = await rig.call(whoHas(['raw', 'sshsig']), 'sign_minisign', params);
    expect(error?.data).toMatchObject({ purpose: 'minisign', purposes: ['raw', 'sshsig'] });
  });

  test('is not of a digest that is a token, or what the audit log signs', async () => {
    const header = `${b64('{"alg":"EdDSA"}')}.`;
    const claims = b64('{"sub":"admin"}'.padEnd(Math.floor(((64 - header.length) * 3) / 4)));
    const token = Buffer.from(header + claims);
    expect(token).toHaveLength(64);
    const call = (caller: Caller, bytes: Buffer): Promise<Answer> =>
      rig.call(caller, 'sign_minisign', { ...params, digest_b64: b64(bytes) });
    const { error } = await call(whoHas(['minisign']), token);
    expect(error?.data).toMatchObject({ kind: 'forbidden', purpose: 'jwt' });
    const kept = Buffer.alloc(64, 'x');
    kept.write('signing-agent/audit/v1\n');
    expect((await call(root(), kept)).error?.data.kind).toBe('not_supported');
    expect(rig.signatures).toBe(0);
  });

  test.each([
    ['a digest of another length', { digest_b64: b64(digest.subarray(32)) }, 'digest_b64'],
    ['two lines of comment', { trusted_comment: 'a\nb' }, 'trusted_comment'],
    [
      'a comment that minisign does not read',
      { trusted_comment: 'x'.repeat(9000) },
      'trusted_comment',
    ],
  ])('refuses %s', async (_, change, field) => {
    const { error } = await rig.call(root(), 'sign_minisign', { ...params, ...change });
    expect(error?.data).toMatchObject({ kind: 'invalid_params', issues: [{ field }] });
    expect(rig.signatures).toBe(0);
  });
});

describe('sign_jws', () => {
  const read = async (jws: string) => {
    const { result } = await rig.call(root(), 'jwks', {});
    const [jwk] = result?.['keys'] as Parameters<typeof importJWK>[0][];
    return compactVerify(jws, await importJWK(jwk ?? {}));
  };

  test('is a JWS over the bytes, under a header with alg and kid', async () => {
    const params = { payload_b64: b64('a text'), headers: { cty: 'text/plain', alg: 'Ed25519' } };
    const { result } = await rig.call(whoHas(['jws']), 'sign_jws', params);
    const { payload, protectedHeader } = await read(result?.['jws'] as string);
    expect(Buffer.from(payload).toString()).toBe('a text');
    const kid = await rig.activeKid('default');
    expect(protectedHeader).toEqual({ alg: 'Ed25519', cty: 'text/plain', kid });
    const usual = await rig.call(whoHas(['jws']), 'sign_jws', { payload_b64: '' });
    const header = decodeProtectedHeader(usual.result?.['jws'] as string);
    expect(header).toEqual({ alg: 'EdDSA', kid });
  });

  test('of what is a claims set to whoever reads tokens needs jwt too', async () => {
    for (const claims of ['{"sub":"ada"}', ' {}', '\ufeff{"a":1}', '\n\t{ "exp":1}']) {
      const params = { payload_b64: b64(claims) };
      const { error } = await rig.call(whoHas(['jws', 'raw']), 'sign_jws', params);
      expect(error?.data).toMatchObject({ purpose: 'jwt', purposes: ['raw', 'jws'] });
      const alone = await rig.call(whoHas(['jwt']), 'sign_jws', params);
      expect(alone.error?.data).toMatchObject({ purpose: 'jws', purposes: ['jwt'] });
      const both = await rig.call(whoHas(['jws', 'jwt']), 'sign_jws', params);
      expect(both.error).toBeUndefined();
    }
    for (const other of ['[{"sub":"ada"}]', 'text {"sub":"ada"}', '']) {
      const { error } = await rig.call(whoHas(['jws']), 'sign_jws', { payload_b64: b64(other) });
      expect(error).toBeUndefined();
    }
  });

  test.each([
    ['another kid', { kid: '00000000' }, 'headers.kid'],
    ['an alg of other keys', { alg: 'ES256' }, 'headers.alg'],
    ['no alg', { alg: 'none' }, 'headers.alg'],
    ['an extension', { crit: ['x'] }, 'headers.crit'],
    ['a payload that is not encoded', { b64: false }, 'headers.b64'],
    ['a number that is not kept', { n: 2 ** 60 }, 'headers.n'],
  ])('refuses a header with %s', async (_, headers, field) => {
    const { error } = await rig.call(root(), 'sign_jws', { payload_b64: '', headers });
    expect(error?.data).toMatchObject({ kind: 'invalid_params', issues: [{ field }] });
    expect(rig.signatures).toBe(0);
  });
});

describe('jwt_sign of a keyring whose tokens are fixed', () => {
  const ttl = { ttl_seconds: 900 };
  const call = (keyring: string, params: object): Promise<Answer> =>
    rig.call(whoHas(['jwt']), 'jwt_sign', { keyring, ...ttl, ...params });
  const claimsOf = async (keyring: string, { result, error }: Answer) => {
    expect(error).toBeUndefined();
    const jwk = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: b64(await publicKeyOf(keyring)) },
      format: 'jwk',
    });
    const currentDate = new Date(rig.access.clock.now());
    return (await jwtVerify(result?.['token'] as string, jwk, { currentDate })).payload;
  };

  test('fills in what was left out, and takes what is the same', async () => {
    const fixed = { iss: 'https://agent.example', aud: 'https://api.example' };
    expect(await claimsOf('tokens', await call('tokens', {}))).toMatchObject(fixed);
    const said = { claims: { iss: fixed.iss }, audience: [fixed.aud] };
    expect(await claimsOf('tokens', await call('tokens', said))).toMatchObject({
      ...fixed,
      aud: [fixed.aud],
    });
    const inClaims = { claims: { aud: fixed.aud } };
    expect(await claimsOf('tokens', await call('tokens', inClaims))).toMatchObject(fixed);
    expect(await claimsOf('several', await call('several', { audience: 'b' }))).toMatchObject({
      aud: 'b',
    });
    expect(
      await claimsOf('several', await call('several', { audience: ['b', 'a'] })),
    ).toMatchObject({ aud: ['b', 'a'] });
  });

  test.each([
    ['another issuer', 'tokens', { claims: { iss: 'https://evil.example' } }, 'claims.iss'],
    ['no issuer at all', 'tokens', { claims: { iss: null } }, 'claims.iss'],
    ['another audience', 'tokens', { audience: 'x' }, 'audience'],
    ['another one beside it', 'tokens', { audience: ['https://api.example', 'x'] }, 'audience'],
    ['another one in the claims', 'tokens', { claims: { aud: 'x' } }, 'claims.aud'],
    ['none in the claims', 'tokens', { claims: { aud: [] } }, 'claims.aud'],
    ['a longer life', 'tokens', { ttl_seconds: 901 }, 'ttl_seconds'],
    ['none of several audiences', 'several', {}, 'audience'],
  ])('refuses %s', async (_, keyring, params, field) => {
    const { error } = await call(keyring, params);
    expect(error?.data.kind).toBe('invalid_params');
    const fields = (error?.data['issues'] as { field: string }[]).map((issue) => issue.field);
    expect(fields).toContain(field);
    expect(rig.signatures).toBe(0);
  });

  test('names the limit', async () => {
    const { error } = await call('tokens', { ttl_seconds: 3600 });
    expect(error?.message).toContain('must be at most 900 (15m), the longest_life');
  });
});

test('what a rule gives is no more than what its keyrings have', async () => {
  const held: readonly Purpose[] = ['raw', 'jwt'];
  const caller = whoHas(held, ['nothing', 'default']);
  expect((await sign(caller, Buffer.from('x'))).error).toBeUndefined();
  const { error } = await sign(caller, Buffer.from('x'), 'nothing');
  expect(error?.data).toMatchObject({ purpose: 'raw', purposes: [] });
  const elsewhere = await sign(caller, Buffer.from('x'), 'tokens');
  expect(elsewhere.error?.data).toEqual({ kind: 'forbidden', needs: 'app' });
});
