import { decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import type { SignedJwt } from '../../src/api/jwt.ts';
import type { JoseAlg } from '../../src/algorithms/algorithm-names.ts';
import { AgentError } from '../../src/base/errors.ts';
import { noJwtPolicy } from '../../src/formats/jose/jwt-policy.ts';
import type { TokenRequest } from '../../src/formats/jose/jwt-claims.ts';
import { signJwt, type TokenSigning } from '../../src/request/methods/jwt/jwt-signing.ts';
import { keyringJwks } from '../../src/request/methods/jwt/keyring-keys.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { usualGraceSeconds } from '../../src/keyring/usual-grace.ts';
import { MemoryStore, MemoryVault } from '../support/memory-keyring.ts';
import { Clock, worldWith } from '../support/world.ts';
import { refusalOf } from '../support/refusal.ts';

let clock: Clock;
let keyring: Keyring;
beforeEach(async () => {
  clock = new Clock();
  keyring = await open(null);
});
afterEach(() => keyring.close());

function open(graceSeconds: number | null, joseAlg?: JoseAlg): Promise<Keyring> {
  return openKeyring({
    name: 'default',
    vault: new MemoryVault(),
    store: new MemoryStore(),
    world: worldWith(clock),
    joseAlg,
    rotation:
      graceSeconds === null
        ? null
        : { everySeconds: 86_400, prepublishSeconds: 3600, graceSeconds },
  });
}

function sign(
  request: Partial<TokenRequest> = {},
  by: Partial<TokenSigning> = {},
): Promise<SignedJwt> {
  return signJwt(
    { claims: {}, ttlSeconds: 300, audience: null, subject: null, ...request },
    {
      keyring,
      policy: noJwtPolicy,
      kid: null,
      alg: null,
      typ: null,
      randomBytes: (size) => Buffer.alloc(size, 7),
      signing: (make) => make(),
      ...by,
    },
  );
}

/** As jose reads it: with the key that the set has under its kid. */
async function read(token: string): Promise<Record<string, unknown>> {
  const { kid } = decodeProtectedHeader(token);
  const jwk = (await keyringJwks(keyring)).keys.find((key) => key['kid'] === kid);
  if (jwk === undefined) throw new Error('the key is not in the set');
  const currentDate = new Date(clock.now());
  return (await jwtVerify(token, await importJWK(jwk), { currentDate })).payload;
}

const fieldsOf = (refusal: unknown): unknown => {
  if (!(refusal instanceof AgentError)) throw refusal;
  expect(refusal.kind).toBe('invalid_params');
  return (refusal.details['issues'] as { field: string }[]).map(({ field }) => field);
};
describe('a token', () => {
  it('says when, by whom and for whom, and jose verifies it', async () => {
    clock.advance(0.9); // times are whole seconds
    const made = await sign({
      claims: { iss: 'https://agent.example', 'ü "quoted"': [{ a: null }, 1.5, -0.25, true] },
      audience: ['api', 'web'],
      subject: 'build-farm',
    });
    const iat = Math.floor(clock.now() / 1000);
    const jti = Buffer.alloc(16, 7).toString('base64url');
    expect(made).toMatchObject({ kid: keyring.activeKid(), jti });
    expect(made.expires_at).toBe('2026-05-14T18:00:00.000Z');
    expect(await read(made.token)).toEqual({
      iss: 'https://agent.example',
      'ü "quoted"': [{ a: null }, 1.5, -0.25, true],
      sub: 'build-farm',
      aud: ['api', 'web'],
      ...{ iat, nbf: iat, exp: iat + 300, jti },
    });
    const head = Buffer.from(made.token.split('.')[0] ?? '', 'base64url').toString();
    expect(head).toBe(`{"alg":"EdDSA","typ":"JWT","kid":"${keyring.activeKid()}"}`);
  });

  it('says the algorithm and the type that were asked for', async () => {
    const { token } = await sign({}, { alg: 'Ed25519', typ: 'at+jwt' });
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'Ed25519', typ: 'at+jwt' });
    const refusal = await refusalOf(sign({}, { alg: 'ES256' }));
    expect(fieldsOf(refusal)).toEqual(['alg']);
    expect(refusal.message).toContain(
      'the ed25519 keys of keyring default sign with EdDSA or Ed25519',
    );
  });

  it('says what the configuration of its keyring has, and the key set says it too', async () => {
    await keyring.close();
    keyring = await open(null, 'Ed25519');
    expect((await keyringJwks(keyring)).keys).toMatchObject([{ alg: 'Ed25519' }]);
    const { token } = await sign();
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'Ed25519', typ: 'JWT' });
    expect(await read(token)).toMatchObject({ jti: expect.any(String) as string });
  });

  it('has a sub and an aud of its claims, and one audience as a text', async () => {
    const { token } = await sign({ claims: { sub: 'a', aud: ['b'] } });
    expect(await read(token)).toMatchObject({ sub: 'a', aud: ['b'] });
    expect(await read((await sign({ audience: 'api' })).token)).toMatchObject({ aud: 'api' });
  });

  it('keeps claims whose names mean something to JavaScript', async () => {
    const claims = JSON.parse(
      '{"__proto__":{"admin":true},"toJSON":"x","constructor":1}',
    ) as object;
    const { token } = await sign({ claims: claims as TokenRequest['claims'] });
    const text = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
    expect(text).toMatch(/^\{"__proto__":\{"admin":true\},"toJSON":"x","constructor":1,"iat":/);
  });

  it('has times by the clock that never goes back', async () => {
    await keyring.rotate(3600);
    const before = Math.floor(clock.now() / 1000);
    clock.set(-86_400);
    const { token } = await sign();
    expect((await keyringJwks(keyring)).keys).toHaveLength(2);
    const payload = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
    ) as object;
    expect(payload).toMatchObject({ iat: before, exp: before + 300 });
  });
});

describe('claims that are refused', () => {
  const text = (json: string): TokenRequest['claims'] => JSON.parse(json) as TokenRequest['claims'];
  it.each<[string, Partial<TokenRequest>, string]>([
    ['iat', { claims: { iat: 1 } }, 'claims.iat'],
    ['nbf', { claims: { nbf: 1 } }, 'claims.nbf'],
    ['exp', { claims: { exp: 1 } }, 'claims.exp'],
    ['exp that says nothing', { claims: { exp: null } }, 'claims.exp'],
    ['jti', { claims: { jti: 'mine' } }, 'claims.jti'],
    ['EXP, which Go takes for exp', { claims: { EXP: 1 } }, 'claims.EXP'],
    ['Aud behind aud', { claims: { aud: 'a', Aud: 'b' } }, 'claims.Aud'],
    ['iss with a long s', { claims: { iſs: 'b' } }, 'claims.i\u017fs'],
    ['sub twice', { claims: { sub: 'a' }, subject: 'a' }, 'claims.sub'],
    ['aud twice', { claims: { aud: 'a' }, audience: 'a' }, 'claims.aud'],
    ['a sub that is no text', { claims: { sub: 1 } }, 'claims.sub'],
    ['an iss that is no text', { claims: { iss: {} } }, 'claims.iss'],
    ['an aud that is no text', { claims: { aud: [1] } }, 'claims.aud'],
    ['an aud of nobody', { claims: { aud: [] } }, 'claims.aud'],
    ['half a surrogate pair', { claims: text('{"a":["\\ud800"]}') }, 'claims.a.0'],
    ['half of one in a name', { claims: text('{"a":{"x\\udfff":1}}') }, 'claims.a'],
    ['a number beyond every number', { claims: text('{"a":{"b":1e999}}') }, 'claims.a.b'],
    ['a number whose digits are lost', { claims: text('{"a":9007199254740993}') }, 'claims.a'],
  ])('%s', async (_, request, field) => {
    expect(fieldsOf(await refusalOf(sign(request)))).toContain(field);
  });

  it('are named all together, but not without end', async () => {
    const both = await refusalOf(sign({ claims: { iat: 1, exp: 2 } }));
    expect(both.message).toBe(
      'claims.iat: is set by the agent: leave it out; claims.exp: is set by the agent: leave it out',
    );
    const many = { claims: { a: Array<number>(1000).fill(Infinity) } };
    expect(fieldsOf(await refusalOf(sign(many)))).toHaveLength(20);
  });
});

describe('a token that would outlive its key is refused', () => {
  it.each([
    ['7 days where nothing says', null, usualGraceSeconds],
    ["the keyring's own", 3600, 3600],
  ])('with the grace of the keyring as its limit: %s', async (_, grace, limit) => {
    await keyring.close();
    keyring = await open(grace);
    const { token, kid } = await sign({ ttlSeconds: limit });
    const refusal = await refusalOf(sign({ ttlSeconds: limit + 1 }));
    expect(fieldsOf(refusal)).toEqual(['ttl_seconds']);
    expect(refusal.message).toContain(`at most ${limit} (`);
    // Replaced in the next moment, the key is valid until the very end of the token.
    await keyring.rotate(keyring.graceSeconds);
    clock.advance(limit - 1);
    expect(await read(token)).toMatchObject({ exp: clock.now() / 1000 + 1 });
    expect((await keyring.listValidPubkeys()).map((key) => key.kid)).toContain(kid);
    clock.advance(1);
    expect((await keyring.listValidPubkeys()).map((key) => key.kid)).not.toContain(kid);
  });

  it('with the end of its grace as the limit of a key in grace', async () => {
    const old = keyring.activeKid();
    await keyring.rotate(600);
    clock.advance(0.5);
    expect(await sign({ ttlSeconds: 600 }, { kid: old })).toMatchObject({
      kid: old,
      expires_at: '2026-05-14T18:05:00.000Z', // counted from the whole second
    });
    clock.advance(100);
    const refusal = await refusalOf(sign({ ttlSeconds: 501 }, { kid: old }));
    expect(refusal.message).toBe(
      `ttl_seconds: must be at most 500: key ${old} is valid until 2026-05-14T18:05:00.000Z, ` +
        'and the token would outlive it',
    );
    expect(await sign({ ttlSeconds: 500 }, { kid: old })).toMatchObject({ kid: old });
    expect(await sign({ ttlSeconds: 601 })).toMatchObject({ kid: keyring.activeKid() });
    clock.set(-90); // brings nothing back
    await refusalOf(sign({ ttlSeconds: 501 }, { kid: old }));
  });
});

describe('a key that is not valid signs no token', () => {
  it.each<[string, () => Promise<string>, RegExp]>([
    ['unknown', () => Promise.resolve('00000000'), /there is no key/],
    ['prepared', async () => (await keyring.prepare()).kid, /not in use yet/],
    [
      'revoked',
      async () => {
        const kid = keyring.activeKid();
        await keyring.revoke(kid);
        return kid;
      },
      /revoked/,
    ],
    ['whose grace is over', async () => (await keyring.rotate(0)).previous_kid, /has ended/],
  ])('%s', async (_, kid, why) => {
    const refusal = await refusalOf(sign({}, { kid: await kid() }));
    expect(refusal.kind).toBe('unknown_kid');
    expect(refusal.message).toMatch(why);
  });
});

describe('a key that is replaced while its token is made', () => {
  /** In the moment between the choice of the key and its signature. */
  function meanwhile(change: () => Promise<unknown>): TokenSigning['signing'] {
    let made = false;
    return async (make) => {
      if (!made) await change();
      made = true;
      return make();
    };
  }

  it.each([
    ['rotated, with a grace', () => keyring.rotate(3600), 'the old key'],
    ['rotated, with none', () => keyring.rotate(0), 'the new key'],
    ['revoked', () => keyring.revoke(keyring.activeKid()), 'the new key'],
  ])('%s: kid and signature fit all the same, by %s', async (_, change, by) => {
    const old = keyring.activeKid();
    const { token, kid } = await sign({}, { signing: meanwhile(change) });
    expect(kid).toBe(by === 'the old key' ? old : keyring.activeKid());
    expect(keyring.activeKid()).not.toBe(old);
    expect(decodeProtectedHeader(token).kid).toBe(kid);
    await read(token);
  });

  test('one that was asked for by kid is not exchanged for another', async () => {
    const kid = keyring.activeKid();
    const signing = meanwhile(() => keyring.rotate(0));
    expect((await refusalOf(sign({}, { kid, signing }))).kind).toBe('unknown_kid');
  });

  test('and it is started over once, not for ever', async () => {
    const signing: TokenSigning['signing'] = async (make) => {
      await keyring.rotate(0);
      return make();
    };
    expect((await refusalOf(sign({}, { signing }))).kind).toBe('unknown_kid');
  });
});
