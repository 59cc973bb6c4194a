import type { JsonObject, JwtRule, JwtVerification } from '../../api/jwt.ts';
import { quoted } from '../../base/errors.ts';
import { formatTime } from '../../base/rfc3339.ts';
import { faultOfAlg } from './accepted-algs.ts';
import { readCompactJws } from './compact-jws.ts';
import type { PublicKey } from './jwks.ts';
import { faultOfSignature } from './jws-signature.ts';
import { readJsonObject } from './json-object.ts';

export interface JwtExpectations {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** null: for whoever reads it; a token that is for somebody is refused then (RFC 7519, section 4.1.3). */
  readonly audience: string | null;
  /** How far the signer's clock may be off, seconds. */
  readonly skewSeconds: number;
  /** The media type that `typ` must have (RFC 8725, section 3.11); null: `JWT` or none. */
  readonly typ: string | null;
}

/** By kid. A set may have a kid for keys of several types (RFC 7517, section 4.5). */
export type VerificationKeys = ReadonlyMap<string, readonly PublicKey[]>;

/** The last second that RFC 3339 has a year for. */
const lastSecond = 253_402_300_799;

/**
 * Verifies a JWT (RFC 7519, section 7.2; RFC 8725) against these keys, by kid, and no others. What a token says is
 * read only once its signature is verified, and answered only where all of it holds.
 */
export async function verifyJwt(
  token: string,
  keys: VerificationKeys,
  expectations: JwtExpectations,
): Promise<JwtVerification> {
  const jws = readCompactJws(token);
  if ('rule' in jws) return refuse(null, jws.rule, jws.reason);
  const { header } = jws;
  const otherType = faultOfType(header['typ'], expectations.typ);
  if (otherType !== null) return refuse(null, 'typ', otherType);
  const kid = header['kid'];
  if (typeof kid !== 'string') return refuse(null, 'kid', 'the header names no key (kid)');
  const key = keyFor(header['alg'], keys.get(kid) ?? []);
  if (key === null) {
    return refuse(null, 'kid', `the key that the header names, ${quoted(kid)}, is not valid now`);
  }
  if (key === 'several') {
    return refuse(null, 'kid', `several keys have the kid ${quoted(kid)} and that algorithm`);
  }
  const fault = await faultOfSignature(jws, key);
  if (fault !== null) return refuse(null, fault.rule, fault.reason);
  const read = readJsonObject(jws.payload);
  if ('fault' in read) return refuse(kid, 'claims', `the payload ${read.fault}`);
  const { object: claims } = read;
  const broken = faultOfTimes(claims, expectations) ?? faultOfAudience(claims['aud'], expectations);
  if (broken !== null) return refuse(kid, broken.rule, broken.reason);
  const expires_at = formatTime(Math.floor((claims['exp'] as number) * 1000));
  return { valid: true, kid, header, claims, expires_at };
}

interface Fault {
  readonly rule: JwtRule;
  readonly reason: string;
}

/**
 * The key of this kid that has the algorithm in the header; where none has, any of them, whose own is asked for then.
 * The same key twice is one.
 */
function keyFor(alg: unknown, ofKid: readonly PublicKey[]): PublicKey | 'several' | null {
  const [first, ...more] = ofKid.filter((key) => faultOfAlg(alg, key) === null);
  if (first === undefined) return ofKid[0] ?? null;
  const isOne = more.every(({ bytes }) => Buffer.compare(bytes, first.bytes) === 0);
  return isOne ? first : 'several';
}

/** Null where it is the expected one. */
function faultOfType(typ: unknown, expected: string | null): string | null {
  if (expected === null) {
    const isJwt = typ === undefined || (typeof typ === 'string' && shortType(typ) === 'jwt');
    return isJwt ? null : 'the header says it is no JWT (typ)';
  }
  if (typ === undefined) return `the header says no type (typ), and ${expected} was asked for`;
  const isExpected = typeof typ === 'string' && shortType(typ) === shortType(expected);
  return isExpected ? null : `the header says it is no ${expected} (typ)`;
}

/** RFC 7519, section 5.1; RFC 7515, section 4.1.9: `application/` may be left out, and case does not count. */
function shortType(typ: string): string {
  return typ.toLowerCase().replace(/^application\/(?=[^/]+$)/, '');
}

function faultOfTimes(claims: JsonObject, { now, skewSeconds }: JwtExpectations): Fault | null {
  const skew = skewSeconds * 1000;
  const { exp } = claims;
  if (!isNumericDate(exp)) {
    return { rule: 'exp', reason: 'it does not say when it expires (exp): a number of seconds' };
  }
  if (now >= exp * 1000 + skew) {
    return { rule: 'exp', reason: `it expired at ${formatTime(Math.floor(exp * 1000))}` };
  }
  for (const [rule, words] of [
    ['nbf', 'it is not valid before'],
    ['iat', 'it was issued in the future, at'],
  ] as const) {
    const time = claims[rule];
    if (time === undefined) continue;
    if (!isNumericDate(time)) return { rule, reason: `${rule} is not a number of seconds` };
    if (time * 1000 > now + skew) {
      return { rule, reason: `${words} ${formatTime(Math.floor(time * 1000))}` };
    }
  }
  return null;
}

/** Seconds since the epoch, fractions allowed (RFC 7519, section 2), and a time that can be written. */
function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= lastSecond;
}

function faultOfAudience(aud: unknown, { audience }: JwtExpectations): Fault | null {
  const refused = (reason: string): Fault => ({ rule: 'aud', reason });
  if (aud === undefined) {
    return audience === null ? null : refused('it says no audience (aud), and one was asked for');
  }
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!named.every((one) => typeof one === 'string')) {
    return refused('aud is not a string or an array of strings');
  }
  if (audience === null) {
    return refused('it is for an audience (aud), and none was asked for: say who you are');
  }
  return named.includes(audience) ? null : refused('it is for another audience (aud)');
}

function refuse(kid: string | null, rule: JwtRule, reason: string): JwtVerification {
  return { valid: false, kid, rule, reason };
}
