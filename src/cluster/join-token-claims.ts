import type * as z from 'zod';
import type { JoinClaims } from '../api/join-tokens.ts';
import { formatDuration } from '../base/duration.ts';
import { AgentError } from '../base/errors.ts';
import { compareTimes, formatTime, hasCome, parseTime } from '../base/rfc3339.ts';
import { claimsSchema } from './join-token.ts';

/** Where neither `exp` nor a time to live is given, seconds: a day. */
const usualLife = 24 * 3600;

/** The claims that a token is asked for with; times that are left out are the agent's to say. */
export const wantedClaims = claimsSchema.partial({ exp: true, iat: true });
export type WantedClaims = z.output<typeof wantedClaims>;

/**
 * All claims of a token that is minted at `now` (milliseconds since the epoch). Times that were given stay as they
 * were written. Throws `invalid_params` where the token would have expired, before it was issued or by now.
 */
export function claimsFor(
  wanted: WantedClaims,
  ttlSeconds: number | undefined,
  now: number,
): JoinClaims {
  const { exp, iat = formatTime(now), ...texts } = wanted;
  if (exp !== undefined && ttlSeconds !== undefined) {
    throw invalid(
      'ttl_seconds',
      'claims.exp says already when the token expires: give one of them',
    );
  }
  const issued = instantOf('iat', iat);
  const expiry = exp ?? expiryAfter(issued.ms, ttlSeconds ?? usualLife);
  const ends = instantOf('exp', expiry);
  if (hasCome(ends, now)) {
    throw invalid(
      'claims.exp',
      `the token would have expired at ${expiry}: it is ${formatTime(now)}`,
    );
  }
  if (compareTimes(ends, issued) <= 0) {
    throw invalid(
      'claims.iat',
      `the token would expire at ${expiry}, before it was issued at ${iat}`,
    );
  }
  return { ...texts, exp: expiry, iat };
}

/**
 * Throws `invalid_params` for claims that would be valid for more seconds from `now` on than that: whatever they say of
 * when they were issued.
 */
export function refuseLongLife({ exp }: JoinClaims, now: number, longestSeconds: number): void {
  const ends = instantOf('exp', exp);
  if (ends.ms <= now + longestSeconds * 1000) return;
  throw invalid(
    'claims.exp',
    `the token would be valid until ${exp}, and ${formatDuration(longestSeconds)} from now on is the most: ask for ` +
      'less (--ttl), or have longest_join_token of [cluster] raised',
  );
}

function expiryAfter(issued: number, seconds: number): string {
  const ends = new Date(issued + seconds * 1000);
  // Beyond the year 9999 there is no RFC 3339.
  if (ends.getTime() < lastTime) return formatTime(ends.getTime());
  throw invalid('ttl_seconds', 'the token would expire after the year 9999');
}

const lastTime = Date.UTC(10_000, 0);

function instantOf(claim: 'exp' | 'iat', text: string): NonNullable<ReturnType<typeof parseTime>> {
  const instant = parseTime(text);
  if (instant === null) throw new Error(`${claim} was not checked`);
  return instant;
}

function invalid(field: string, message: string): AgentError {
  return new AgentError('invalid_params', `${field}: ${message}`, {
    details: { issues: [{ field, message }] },
  });
}
