import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  claimsSignedBytes,
  decodeJoinToken,
  encodeJoinToken,
  longestToken,
  type JoinToken,
} from '../../src/cluster/join-token.ts';
import {
  base64url,
  claimNames,
  claimsText,
  ForeignCluster,
  foreignKey,
  foreignToken,
  quote,
  someClaims,
  tokenText,
} from '../support/foreign-cluster.ts';

const key = foreignKey();
const cluster = new ForeignCluster();
const certificate = cluster.certificate(key);
const written = tokenText(key, someClaims);
const federated = tokenText(key, someClaims, certificate);

function decoded(text: string): JoinToken {
  const result = decodeJoinToken(text);
  if ('rule' in result) throw new Error(`${result.rule}: ${result.reason}`);
  return result.token;
}
const ruleOf = (json: string): unknown => decodeJoinToken(base64url(json));

const text = fc.string({ unit: 'grapheme' }).filter((given) => !/\p{Cs}/u.test(given));
const hostileText = fc.oneof(
  text,
  fc.string({ unit: 'binary' }),
  fc.constant('"\\\u0000\n\u2028é€😀'),
);
const claims = fc
  .record(Object.fromEntries(claimNames.map((name) => [name, hostileText])))
  .filter((given) => Object.values(given).every((value) => !/\p{Cs}/u.test(value)))
  .map((texts) => ({ ...(texts as typeof someClaims), exp: someClaims.exp, iat: someClaims.iat }));

describe('the encoding', () => {
  test.each([
    ['1', written],
    ['2', federated],
  ])('of version %s is the one of the format, byte for byte', (_, json) => {
    const token = base64url(json);
    expect(encodeJoinToken(decoded(token))).toBe(token);
  });

  test('claims are signed as they are written, whatever is in them', () => {
    fc.assert(
      fc.property(claims, (given) => {
        const token = decoded(foreignToken(key, given));
        expect(token.claims).toEqual(given);
        expect(claimsSignedBytes(token.claims).toString('utf8')).toBe(claimsText(given));
        expect(encodeJoinToken(token)).toBe(foreignToken(key, given));
      }),
    );
  });

  test('is read in both alphabets of base64, padded or not, with space around it', () => {
    // Lengths whose base64 is padded, and characters whose base64 has both letters that differ.
    for (const iss of ['a', 'ab', 'abc', '>>>???~~~ÿÿÿ']) {
      const token = foreignToken(key, { ...someClaims, iss });
      const padded = Buffer.from(token, 'base64url').toString('base64');
      const forms = [token, padded, padded.replace(/=+$/, ''), ` \t${token}\r\n`];
      for (const form of forms) expect(decoded(form)).toEqual(decoded(token));
    }
  });

  test('members may stand in another order, with space between them, and escaped', () => {
    const { sig } = decoded(base64url(written));
    const reversed = [...claimNames]
      .reverse()
      .map((name) => `"${name}" : ${quote(someClaims[name])}`);
    const escaped = reversed.join(' ,\n').replace('leader"', '\\u006ceader"');
    const other = ` { "sig" : "${sig}" , "claims" : {${escaped}} , "kid":"${key.kid}", "v": 1e0 } `;
    expect(decoded(base64url(other))).toEqual(decoded(base64url(written)));
  });
});

describe('what is no token', () => {
  const replaced = (from: string, to: string): string => {
    expect(written).toContain(from);
    return written.replace(from, to);
  };
  const kid = `"kid":"${key.kid}"`;

  test.each([
    ['nothing', ''],
    ['no object', '[]'],
    ['a text', '"v"'],
    ['null', 'null'],
    ['no JSON', written.slice(0, -1)],
    ['more than JSON', `${written}{}`],
    ['a member twice', replaced('{"v":1', '{"v":1,"v":1')],
    ['a claim twice', replaced('"iss":', '"iss":"x","iss":')],
    ['a member twice, once escaped', replaced('"iss":', '"is\\u0073":"x","iss":')],
    ['a member that is not known', replaced('{"v":1', '{"v":1,"x":1')],
    ['__proto__', replaced('{"v":1', '{"v":1,"__proto__":{}')],
    ['a claim that is not known', replaced('"iss":', '"sub":"x","iss":')],
    ['a claim too few', replaced(',"iss":"leader"', '')],
    ['a claim that is a number', replaced('"iss":"leader"', '"iss":1')],
    ['claims that are a list', written.replace(/"claims":\{[^}]*\}/, '"claims":[]')],
    ['no kid', replaced(`${kid},`, '')],
    ['a kid in capitals', replaced(kid, '"kid":"ABCDEF01"')],
    ['a time without a zone', replaced(someClaims.exp, '2026-05-15T17:55:00')],
    ['a time with ten digits', replaced(someClaims.exp, '2026-05-15T17:55:00.1234567890Z')],
    ['a day that does not exist', replaced(someClaims.iat, '2026-02-30T17:55:00Z')],
    ['half a surrogate pair', replaced('"leader"', '"\\ud83d"')],
    ['a signature that is too short', written.replace(/"sig":"..../, '"sig":"')],
    ['a signature that is no base64', written.replace(/"sig":"./, '"sig":"*')],
    ['no signature', written.replace(/,"sig":"[^"]*"/, '')],
  ])('%s', (_, json) => {
    expect(ruleOf(json)).toMatchObject({ rule: 'format', reason: expect.any(String) as string });
  });

  test.each([
    ['another version', replaced('"v":1', '"v":3')],
    ['a version as a text', replaced('"v":1', '"v":"1"')],
    ['a fraction of one', replaced('"v":1', '"v":1.5')],
    ['none', replaced('"v":1,', '')],
    ['version 1 with a certificate', federated.replace('"v":2', '"v":1')],
    ['version 2 without one', replaced('"v":1', '"v":2')],
  ])('%s: the version', (_, json) => {
    expect(ruleOf(json)).toMatchObject({ rule: 'version' });
  });

  test.each([
    ['that is null', federated.replace(/"ca_chain":.*\}\}$/, '"ca_chain":null}')],
    ['with a member too many', federated.replace('"active_kid"', '"x":1,"active_kid"')],
    ['with a member twice', federated.replace('"active_kid"', '"issued_at":"x","active_kid"')],
    ['with a key of another length', federated.replace(key.b64, 'AAAA')],
    ['without a domain', federated.replace('"other.example"', '""')],
    ['of another version', federated.replace('"ca_chain":{"v":1', '"ca_chain":{"v":2')],
  ])('a certificate %s', (_, json) => {
    expect(json).not.toBe(federated);
    expect(ruleOf(json)).toMatchObject({ rule: 'format' });
  });

  const token = base64url(written);
  test.each([
    ['a foreign character', `${token.slice(0, 20)}*${token.slice(21)}`],
    ['both alphabets', `-${token.slice(1, -1)}+`],
    ['space within', `${token.slice(0, 20)}\n${token.slice(20)}`],
    ['too much padding', `${token}===`],
    ['a byte order mark', Buffer.from(`\ufeff${written}`).toString('base64url')],
    [
      'bytes that are no UTF-8',
      Buffer.from(written.replace('leader"', '\u00ff"'), 'latin1').toString('base64url'),
    ],
    ['more than 64 KiB', base64url(written.replace('"leader"', quote('x'.repeat(longestToken))))],
    ['a deep nest', base64url(`${'['.repeat(20_000)}${']'.repeat(20_000)}`)],
    [
      'a deep nest of claims',
      base64url(written.replace('"leader"', `${'{"a":'.repeat(7000)}1${'}'.repeat(7000)}`)),
    ],
  ])('%s', (_, given) => {
    expect(decodeJoinToken(given)).toMatchObject({ rule: 'format' });
  });

  test('any bytes: never an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.json().map(base64url)), (given) => {
        expect(decodeJoinToken(given)).toHaveProperty('rule');
      }),
    );
  });
});
