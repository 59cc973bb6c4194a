import type { TokenRequest, ClaimFault } from './jwt-claims.ts';
import { formatDuration } from '../../base/duration.ts';

/** What the tokens of one signer say, whoever asks for them. null: whoever asks says. */
export interface JwtPolicy {
  /** `iss` (RFC 7519, section 4.1.1). */
  readonly issuer: string | null;
  /** What `aud` may have (section 4.1.3). */
  readonly audiences: readonly string[] | null;
  /** From `iat` to `exp`, whole seconds. */
  readonly longestLifeSeconds: number | null;
}

export const noJwtPolicy: JwtPolicy = { issuer: null, audiences: null, longestLifeSeconds: null };

export function isFixed({ issuer, audiences, longestLifeSeconds }: JwtPolicy): boolean {
  return issuer !== null || audiences !== null || longestLifeSeconds !== null;
}

/** What a request says against the policy; empty where it says nothing against it. */
export function faultsAgainst(request: TokenRequest, policy: JwtPolicy): readonly ClaimFault[] {
  const { claims, ttlSeconds } = request;
  const { issuer, audiences, longestLifeSeconds: longest } = policy;
  const faults: ClaimFault[] = [];
  const given = Object.hasOwn(claims, 'iss') ? claims['iss'] : issuer;
  if (issuer !== null && given !== issuer) {
    faults.push({
      field: 'claims.iss',
      message: `the configuration says ${JSON.stringify(issuer)}: leave it out`,
    });
  }
  if (audiences !== null) faults.push(...faultsOfAudience(request, audiences));
  if (longest !== null && ttlSeconds > longest) {
    faults.push({
      field: 'ttl_seconds',
      message: `must be at most ${longest} (${formatDuration(longest)}), the longest_life of the configuration`,
    });
  }
  return faults;
}

/** With what the policy says and the request left out. */
export function byPolicy(request: TokenRequest, { issuer, audiences }: JwtPolicy): TokenRequest {
  const { claims, audience } = request;
  const isOpen = audience === null && !Object.hasOwn(claims, 'aud');
  const only = audiences?.length === 1 ? audiences[0] : undefined;
  return {
    ...request,
    claims: issuer === null ? claims : { ...claims, iss: issuer },
    audience: isOpen && only !== undefined ? only : audience,
  };
}

function faultsOfAudience(
  { claims, audience }: TokenRequest,
  allowed: readonly string[],
): readonly ClaimFault[] {
  const inClaims = audience === null && Object.hasOwn(claims, 'aud');
  const field = inClaims ? 'claims.aud' : 'audience';
  const given = inClaims ? claims['aud'] : audience;
  const names = allowed.map((one) => JSON.stringify(one)).join(', ');
  if (given === null) {
    if (allowed.length === 1) return [];
    return [{ field, message: `must be said: the configuration has ${names}` }];
  }
  const all: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (all.length > 0 && all.every((one) => allowed.some((other) => other === one))) return [];
  return [{ field, message: `must be of those that the configuration has: ${names}` }];
}
