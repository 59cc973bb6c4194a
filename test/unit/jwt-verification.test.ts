import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type JwtVerification, jwtRules } from '../../src/api/jwt.ts';
import { jwkOf, type PublicKey } from '../../src/formats/jose/jwks.ts';
import { verifyJwt, type JwtExpectations } from '../../src/formats/jose/jwt-verification.ts';
import { handMade, tokenKey, type TokenKey } from '../support/hand-made-tokens.ts';

const now = Date.UTC(2026, 4, 14, 18) / 1000;
const ed = tokenKey('ed25519');
const ec = tokenKey('es256');
const foreign = tokenKey('ed25519');
const keys = new Map([ed, ec].map((key) => [key.kid, [key]]));
const header = { alg: 'EdDSA', typ: 'JWT', kid: ed.kid };
const claims = { sub: 'build-farm', iat: now, nbf: now, exp: now + 300, jti: 'once' };
const nobody = (): Buffer => Buffer.alloc(0);

function verify(token: string, more: Partial<JwtExpectations> = {}): Promise<JwtVerification> {
  const usual = { now: now * 1000, audience: null, skewSeconds: 0, typ: null };
  return verifyJwt(token, keys, { ...usual, ...more });
}

function made(change: object, by: TokenKey = ed): string {
  return handMade(header, { ...claims, ...change }, by.sign);
}

function withHeader(change: object | string, signature = ed.sign): string {
  const changed = typeof change === 'string' ? change : { ...header, ...change };
  return handMade(changed, claims, signature);
}

describe('a token that holds', () => {
  it('is answered with what it says', async () => {
    expect(await verify(made({ n: [1, { a: null }] }))).toEqual({
      valid: true,
      kid: ed.kid,
      header,
      claims: { ...claims, n: [1, { a: null }] },
      expires_at: '2026-05-14T18:05:00.000Z',
    });
  });

  it('may be ES256, where that is the algorithm of the key', async () => {
    const token = withHeader({ alg: 'ES256', kid: ec.kid }, ec.sign);
    expect(await verify(token)).toMatchObject({ valid: true, kid: ec.kid });
  });

  it.each([
    ['no typ', { typ: undefined }],
    ['typ in another case', { typ: 'jwt' }],
    ['typ as a media type', { typ: 'application/jwt' }],
    ['a key of its own, which is not looked at', { jwk: jwkOf(foreign), x5c: ['MII'], jku: 'x' }],
  ])('may have %s', async (_, change) => {
    expect(await verify(withHeader(change))).toMatchObject({ valid: true });
  });

  it('may have neither nbf nor iat, and an exp between two seconds', async () => {
    const token = handMade(header, { exp: now + 0.5 }, ed.sign);
    expect(await verify(token)).toMatchObject({
      valid: true,
      expires_at: '2026-05-14T18:00:00.500Z',
    });
    expect(await verify(token, { now: now * 1000 + 500 })).toMatchObject({ rule: 'exp' });
  });
});

const b64 = (text: string): string => Buffer.from(text).toString('base64url');
const secretOf = (bytes: Uint8Array) => (input: string) =>
  createHmac('sha256', bytes).update(input).digest();
const [head = '', body = '', mac = ''] = made({}).split('.');
const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), ed.bytes]);
const pem = `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`;
const deep = `${'['.repeat(40)}${']'.repeat(40)}`;

describe('the names of Ed25519 (RFC 8037, RFC 9864)', () => {
  const named = (alg: string, key: PublicKey): Promise<JwtVerification> =>
    verifyJwt(withHeader({ alg }), new Map([[key.kid, [key]]]), {
      ...{ now: now * 1000, audience: null, skewSeconds: 0, typ: null },
    });

  it('are both those of a key that says neither, or EdDSA', async () => {
    for (const key of [ed, { ...ed, alg: 'EdDSA' as const }]) {
      expect(await named('EdDSA', key)).toMatchObject({ valid: true });
      expect(await named('Ed25519', key)).toMatchObject({ valid: true });
      expect(await named('Ed448', key)).toMatchObject({ valid: false, rule: 'alg' });
      expect(await named('ed25519', key)).toMatchObject({ valid: false, rule: 'alg' });
    }
  });

  it('are one for a key that says Ed25519', async () => {
    const key = { ...ed, alg: 'Ed25519' as const };
    expect(await named('Ed25519', key)).toMatchObject({ valid: true });
    expect(await named('EdDSA', key)).toMatchObject({
      ...{ valid: false, rule: 'alg' },
      reason: 'the algorithm in the header is not that of the key, Ed25519',
    });
  });
});

describe('a kid of several keys', () => {
  const with_ = (...of: PublicKey[]): Promise<JwtVerification> =>
    verifyJwt(made({}), new Map([[ed.kid, of]]), {
      ...{ now: now * 1000, audience: null, skewSeconds: 0, typ: null },
    });

  it('names the one of the type that the header asks for', async () => {
    expect(await with_({ ...ec, kid: ed.kid }, ed)).toMatchObject({ valid: true });
    expect(await with_({ ...ec, kid: ed.kid })).toMatchObject({ valid: false, rule: 'alg' });
  });

  it('names none of several of one type, unless they are the same', async () => {
    expect(await with_(ed, { ...foreign, kid: ed.kid })).toMatchObject({
      valid: false,
      rule: 'kid',
    });
    expect(await with_(ed, { ...ed })).toMatchObject({ valid: true });
    expect(await with_()).toMatchObject({ valid: false, rule: 'kid' });
  });
});

describe('a type that is asked for', () => {
  it.each([
    ['at+jwt', 'at+jwt'],
    ['at+jwt', 'application/at+jwt'],
    ['AT+JWT', 'at+JWT'],
    ['application/at+jwt', 'at+jwt'],
    ['text/x', 'text/x'],
    ['JWT', 'JWT'],
  ])('%s is that of a header with %s', async (typ, said) => {
    expect(await verify(withHeader({ typ: said }), { typ })).toMatchObject({ valid: true });
  });

  it.each([
    ['at+jwt', 'JWT'],
    ['at+jwt', undefined],
    ['at+jwt', ['at+jwt']],
    ['at+jwt', 'text/at+jwt'],
    ['at+jwt', 'application/x/at+jwt'],
    ['JWT', undefined],
  ])('%s is not that of a header with %j', async (typ, said) => {
    expect(await verify(withHeader({ typ: said }), { typ })).toMatchObject({
      valid: false,
      rule: 'typ',
    });
  });
});

describe('a hostile token is refused', () => {
  const hostile: [string, string, string][] = [
    ['nothing', '', 'form'],
    ['two parts', `${head}.${body}`, 'form'],
    ['four parts', `${head}.${body}.${mac}.`, 'form'],
    ['five parts, as an encrypted one has', `${head}.${body}.${mac}.${mac}.${mac}`, 'form'],
    ['thousands of parts', '.'.repeat(100_000), 'form'],
    ['a space behind it', `${head}.${body}.${mac} `, 'form'],
    ['padding', `${head}.${body}.${mac}==`, 'form'],
    ['base64 that is not canonical', `${head}.${body}.${mac.slice(0, -1)}B`, 'form'],
    [
      'the standard alphabet',
      `${head}.${body}.${'+/'.repeat(43)}`, // 64 bytes
      'form',
    ],
    ['a header that is no JSON', `${b64('{')}.${body}.${mac}`, 'header'],
    ['a header that is no object', `${b64('[]')}.${body}.${mac}`, 'header'],
    ['a header that is null', `${b64('null')}.${body}.${mac}`, 'header'],
    [
      'a header that is not UTF-8',
      `${Buffer.of(0x7b, 0xff, 0x7d).toString('base64url')}.e30.`,
      'header',
    ],
    ['a header behind a byte order mark', withHeader(`\ufeff${JSON.stringify(header)}`), 'header'],
    [
      'a header with a member twice',
      withHeader(`{"alg":"none",${JSON.stringify(header).slice(1)}`),
      'header',
    ],
    [
      'a header with a member twice, once escaped',
      withHeader(`{"\\u0061lg":"none",${JSON.stringify(header).slice(1)}`),
      'header',
    ],
    ['a header that is nested without end', withHeader(`{"a":${deep}}`), 'header'],
    ['crit', withHeader({ crit: ['exp'] }), 'extension'],
    ['crit that names nothing', withHeader({ crit: [] }), 'extension'],
    ['b64', withHeader({ b64: false, crit: ['b64'] }), 'extension'],
    ['b64 that changes nothing', withHeader({ b64: true }), 'extension'],
    ['another type', withHeader({ typ: 'at+jwt' }), 'typ'],
    ['a type that is no text', withHeader({ typ: ['JWT'] }), 'typ'],
    ['no kid', withHeader({ kid: undefined }), 'kid'],
    ['a kid that is no text', withHeader({ kid: [ed.kid] }), 'kid'],
    ['a kid that every object has', withHeader({ kid: 'constructor' }), 'kid'],
    ['a key of somebody else', withHeader({ kid: foreign.kid }, foreign.sign), 'kid'],
    [
      'a key of its own',
      withHeader({ kid: foreign.kid, jwk: jwkOf(foreign) }, foreign.sign),
      'kid',
    ],
    [
      'a key of its own under our kid',
      withHeader({ jwk: jwkOf(foreign) }, foreign.sign),
      'signature',
    ],
    ['alg none', withHeader({ alg: 'none' }, nobody), 'alg'],
    ['alg None', withHeader({ alg: 'None' }, nobody), 'alg'],
    ['no alg', withHeader({ alg: undefined }), 'alg'],
    ['an alg that is no text', withHeader({ alg: ['EdDSA'] }), 'alg'],
    ['HS256 with the public key', withHeader({ alg: 'HS256' }, secretOf(ed.bytes)), 'alg'],
    [
      'HS256 with the public key as PEM',
      withHeader({ alg: 'HS256' }, secretOf(Buffer.from(pem))),
      'alg',
    ],
    ['HS256 under EdDSA', withHeader({}, secretOf(ed.bytes)), 'signature'],
    ['the alg of another key', withHeader({ alg: 'ES256' }, ec.sign), 'alg'],
    ['EdDSA for an ES256 key', withHeader({ kid: ec.kid }, ec.sign), 'alg'],
    ['no signature', `${head}.${body}.`, 'signature'],
    ['a signature of another length', `${head}.${body}.${mac}${mac}`, 'signature'],
    [
      'the signature of another header',
      `${b64(JSON.stringify({ ...header, x: 1 }))}.${body}.${mac}`,
      'signature',
    ],
    [
      'another payload',
      `${head}.${b64(JSON.stringify({ ...claims, sub: 'root' }))}.${mac}`,
      'signature',
    ],
    ['a payload that is no JSON', handMade(header, 'hello', ed.sign), 'claims'],
    ['a payload that is no object', handMade(header, '[1]', ed.sign), 'claims'],
    [
      'a payload that is not UTF-8',
      handMade(header, Buffer.of(0x7b, 0xff, 0x7d), ed.sign),
      'claims',
    ],
    ['a claim twice', handMade(header, `{"exp":${now + 5},"exp":${now + 9}}`, ed.sign), 'claims'],
    [
      'claims nested without end',
      handMade(header, `{"exp":${now + 5},"a":${deep}}`, ed.sign),
      'claims',
    ],
    ['no exp', made({ exp: undefined }), 'exp'],
    ['exp null', made({ exp: null }), 'exp'],
    ['exp as a text', made({ exp: String(now + 300) }), 'exp'],
    ['exp that is no time', made({ exp: 1e300 }), 'exp'],
    ['exp beyond every number', handMade(header, '{"exp":1e999}', ed.sign), 'claims'],
    [
      'a claim beyond every number',
      handMade(header, `{"exp":${now + 5},"a":[-1e999]}`, ed.sign),
      'claims',
    ],
    ['exp now', made({ exp: now }), 'exp'],
    ['exp long ago', made({ exp: -1 }), 'exp'],
    ['nbf to come', made({ nbf: now + 1 }), 'nbf'],
    ['nbf as a text', made({ nbf: String(now) }), 'nbf'],
    ['nbf null', made({ nbf: null }), 'nbf'],
    ['iat to come', made({ iat: now + 1 }), 'iat'],
    ['iat as an array', made({ iat: [now] }), 'iat'],
    ['an audience, and none was asked for', made({ aud: 'api' }), 'aud'],
    ['audiences, and none was asked for', made({ aud: ['api'] }), 'aud'],
    ['no audience in its list', made({ aud: [] }), 'aud'],
    ['aud null', made({ aud: null }), 'aud'],
  ];
  test.each(hostile)('%s', async (_, token, rule) => {
    const verification = await verify(token);
    expect(verification).toMatchObject({ valid: false, rule });
    expect(Object.keys(verification).sort()).toEqual(['kid', 'reason', 'rule', 'valid']);
  });

  it('by every rule there is', () => {
    expect([...new Set(hostile.map(([, , rule]) => rule))].sort()).toEqual([...jwtRules].sort());
  });

  it('and the key is named only where it made the signature', async () => {
    expect(await verify(made({ exp: now }))).toMatchObject({ kid: ed.kid });
    expect(await verify(made({}, foreign))).toMatchObject({ rule: 'signature', kid: null });
  });
});

describe('an audience', () => {
  const asked = { audience: 'api' };
  it.each([
    ['is the one of the token', 'api', true],
    ['is one of those of the token', ['web', 'api'], true],
    ['is another one', 'web', false],
    ['is a part of the name', 'api.example', false],
    ['differs in case', 'API', false],
    ['is in none of the list', ['web'], false],
    ['is beside what is no text', ['api', 1], false],
    ['is not in the token', undefined, false],
  ])('that %s: %j', async (_, aud, valid) => {
    const verification = await verify(made({ aud }), asked);
    expect(verification).toMatchObject(valid ? { valid } : { valid, rule: 'aud' });
  });
});

test('a clock that is off is allowed for, to the second and no further', async () => {
  const late = made({ exp: now - 30 });
  expect(await verify(late, { skewSeconds: 30 })).toMatchObject({ valid: false, rule: 'exp' });
  expect(await verify(late, { skewSeconds: 31 })).toMatchObject({ valid: true });
  const early = made({ iat: now + 30, nbf: now + 30 });
  expect(await verify(early, { skewSeconds: 29 })).toMatchObject({ valid: false, rule: 'nbf' });
  expect(await verify(early, { skewSeconds: 30 })).toMatchObject({ valid: true });
});

test.each([
  ['EdDSA', made({})],
  ['ES256', withHeader({ alg: 'ES256', kid: ec.kid }, ec.sign)],
])('no other text than the token itself verifies: one character changed, %s', async (_, token) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('');
  const character = fc.oneof(fc.constantFrom(...alphabet, '.', '=', '+', '/'), fc.string());
  expect(await verify(token)).toMatchObject({ valid: true });
  await fc.assert(
    fc.asyncProperty(fc.nat(token.length - 1), character, async (at, instead) => {
      const changed = token.slice(0, at) + instead + token.slice(at + 1);
      expect((await verify(changed)).valid).toBe(changed === token);
    }),
    { numRuns: 1000 },
  );
  // The last character of each part has bits that encode nothing.
  for (const end of [...token.matchAll(/[^.](?=\.|$)/g)].map(({ index }) => index)) {
    for (const other of alphabet.filter((one) => one !== token[end])) {
      expect((await verify(token.slice(0, end) + other + token.slice(end + 1))).valid).toBe(false);
    }
  }
});
