import type { JsonObject } from '../../api/jwt.ts';
import { AgentError } from '../../base/errors.ts';
import { isJsonObject } from './json-object.ts';

/** What a token is to say, by whoever asks for it. */
export interface TokenRequest {
  readonly claims: JsonObject;
  /** Whole seconds, 1 or more. */
  readonly ttlSeconds: number;
  /** `aud` and `sub` (RFC 7519, sections 4.1.3 and 4.1.2); null: as the claims have it. */
  readonly audience: string | readonly string[] | null;
  readonly subject: string | null;
}

/** A field of params, and what about it. */
export interface ClaimFault {
  readonly field: string;
  readonly message: string;
}

/** Claims that the agent sets, and nobody else (RFC 7519, sections 4.1.4 to 4.1.7). */
const agentsOwn = ['iat', 'nbf', 'exp', 'jti'] as const;

/** Each of these claims that is there has to be of its own type, or no verifier could go by it. */
const forms: Readonly<Record<string, readonly [(value: unknown) => boolean, string]>> = {
  iss: [isText, 'must be a string'],
  sub: [isText, 'must be a string'],
  aud: [isAudience, 'must be a string or an array of strings'],
};

/** What the agent or its configuration sets. Some readers take a name in any case, and the last one of those there are. */
const spelledExactly: readonly string[] = [...agentsOwn, 'iss', 'aud'];

/** Half of a pair, which is no text: JSON can spell it, and many a reader of the token could not. */
export const halfSurrogate = /\p{Cs}/u;

/** At most this many: a hostile request must not make a long answer. */
const mostFaults = 20;

/** What is wrong with the claims of a request; empty where a token can be made of them. */
export function faultsOfClaims({ claims, audience, subject }: TokenRequest): readonly ClaimFault[] {
  const faults: ClaimFault[] = [];
  const found = (field: string, message: string): void => {
    if (faults.length < mostFaults) faults.push({ field: field.slice(0, 200), message });
  };
  for (const name of agentsOwn) {
    if (Object.hasOwn(claims, name)) found(`claims.${name}`, 'is set by the agent: leave it out');
  }
  for (const name of Object.keys(claims)) {
    const meant = inOneCase(name);
    if (name === meant || !spelledExactly.includes(meant)) continue;
    found(`claims.${name}`, `is ${meant} to readers that take a name in any case: leave it out`);
  }
  for (const [name, [fits, message]] of Object.entries(forms)) {
    if (Object.hasOwn(claims, name) && !fits(claims[name])) found(`claims.${name}`, message);
  }
  if (audience !== null && Object.hasOwn(claims, 'aud')) {
    found('claims.aud', 'stands beside audience: give one of them');
  }
  if (subject !== null && Object.hasOwn(claims, 'sub')) {
    found('claims.sub', 'stands beside subject: give one of them');
  }
  findUnsafe(claims, 'claims', found);
  return faults;
}

/** Throws `invalid_params`, with `data.issues` as for every field that does not fit. */
export function refuseFaults(faults: readonly ClaimFault[]): void {
  if (faults.length === 0) return;
  const message = faults.map(({ field, message: what }) => `${field}: ${what}`).join('; ');
  throw new AgentError('invalid_params', message, { details: { issues: faults } });
}

/** The claims set (RFC 7519, section 4) of a request without faults. Times are NumericDates: whole seconds. */
export function claimsSet(
  { claims, audience, subject, ttlSeconds }: TokenRequest,
  issued: { readonly at: number; readonly jti: string },
): JsonObject & { readonly exp: number } {
  return {
    ...claims,
    ...(subject === null ? {} : { sub: subject }),
    ...(audience === null ? {} : { aud: audience }),
    iat: issued.at,
    nbf: issued.at,
    exp: issued.at + ttlSeconds,
    jti: issued.jti,
  };
}

/** What is wrong with JSON that is to be signed as it came; `field` is its name. */
export function faultsOfJson(value: unknown, field: string): readonly ClaimFault[] {
  const faults: ClaimFault[] = [];
  findUnsafe(value, field, (at, message) => {
    if (faults.length < mostFaults) faults.push({ field: at.slice(0, 200), message });
  });
  return faults;
}

/** What the wire brought and JSON would not carry on as it was: better refused than signed in another form. */
function findUnsafe(
  value: unknown,
  at: string,
  found: (field: string, message: string) => void,
): void {
  if (typeof value === 'string' && halfSurrogate.test(value)) {
    found(at, 'has half of a surrogate pair, which is no text');
  }
  if (typeof value === 'number' && !isExact(value)) {
    found(at, 'is a number that is not kept exactly: write it as a string');
  }
  if (Array.isArray(value)) {
    value.forEach((one, index) => {
      findUnsafe(one, `${at}.${index}`, found);
    });
  } else if (isJsonObject(value)) {
    for (const [name, one] of Object.entries(value)) {
      if (halfSurrogate.test(name)) found(at, 'has a name with half of a surrogate pair in it');
      else findUnsafe(one, `${at}.${name}`, found);
    }
  }
}

/** By way of the upper case: a long s has no lower one. */
function inOneCase(name: string): string {
  return name.toUpperCase().toLowerCase();
}

/** Of integers beyond 2^53 and of infinities the digits that were written are lost. */
function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isAudience(value: unknown): boolean {
  return isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText));
}
