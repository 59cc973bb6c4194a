import type { SignedJwt } from '../../../api/jwt.ts';
import { encodeBase64 } from '../../../base/base64.ts';
import { formatDuration } from '../../../base/duration.ts';
import { AgentError } from '../../../base/errors.ts';
import type { Keyring } from '../../../keyring/keyring.ts';
import type { Signature } from '../../../api/signing-backend.ts';
import { formatTime, parseTime } from '../../../base/rfc3339.ts';
import { algorithmNames, type JoseAlg } from '../../../algorithms/algorithm-names.ts';
import { compactJws, signingInputOf } from '../../../formats/jose/compact-jws.ts';
import { byPolicy, faultsAgainst, type JwtPolicy } from '../../../formats/jose/jwt-policy.ts';
import {
  claimsSet,
  faultsOfClaims,
  refuseFaults,
  type ClaimFault,
  type TokenRequest,
} from '../../../formats/jose/jwt-claims.ts';

export interface TokenSigning {
  readonly keyring: Keyring;
  readonly policy: JwtPolicy;
  /** null: the active one. */
  readonly kid: string | null;
  /** `alg` and `typ` of the header; null: the keyring's own, and `JWT`. */
  readonly alg: JoseAlg | null;
  readonly typ: string | null;
  readonly randomBytes: (size: number) => Buffer;
  /** Makes the one signature, where the agent's queue has room for it. */
  readonly signing: (make: () => Promise<Signature>) => Promise<Signature>;
}

const jtiBytes = 16;

/**
 * Signs a JWT (RFC 7519) that expires before its key does. Rejects with `invalid_params` for claims that cannot be
 * signed or are not the configuration's, and for a token that would outlive its key, with `unknown_kid` as `Keyring.sign` does.
 */
export async function signJwt(request: TokenRequest, by: TokenSigning): Promise<SignedJwt> {
  refuseFaults([
    ...faultsOfAlg(by),
    ...faultsOfClaims(request),
    ...faultsAgainst(request, by.policy),
  ]);
  const whole = byPolicy(request, by.policy);
  try {
    return await signOnce(whole, by);
  } catch (failure) {
    const wasReplaced = failure instanceof AgentError && failure.kind === 'unknown_kid';
    if (by.kid !== null || !wasReplaced) throw failure;
    // The key that was active has been replaced or revoked since: the token is made anew, kid and times included.
    return signOnce(whole, by);
  }
}

async function signOnce(request: TokenRequest, by: TokenSigning): Promise<SignedJwt> {
  const { keyring } = by;
  const kid = by.kid ?? keyring.activeKid();
  const at = Math.floor(keyring.trustedNow() / 1000);
  await refuseOutliving(keyring, kid, { at, ttlSeconds: request.ttlSeconds });
  const jti = encodeBase64(by.randomBytes(jtiBytes));
  const claims = claimsSet(request, { at, jti });
  const input = signingInputOf(
    { alg: by.alg ?? keyring.joseAlg, typ: by.typ ?? 'JWT', kid },
    Buffer.from(JSON.stringify(claims), 'utf8'),
  );
  const { signature } = await by.signing(() => keyring.sign(Buffer.from(input, 'latin1'), kid));
  const expires_at = formatTime(claims.exp * 1000);
  return { token: compactJws(input, signature), kid, jti, expires_at };
}

function faultsOfAlg({ keyring, alg }: TokenSigning): readonly ClaimFault[] {
  const { algorithm } = keyring.description;
  const { algs } = algorithmNames[algorithm].jose;
  if (alg === null || algs.includes(alg)) return [];
  const message = `the ${algorithm} keys of keyring ${keyring.name} sign with ${algs.join(' or ')}`;
  return [{ field: 'alg', message }];
}

/**
 * A token must expire no later than its key. One in grace has an end; the active one may be replaced at any moment,
 * and from then on it has the keyring's grace. A key that is not valid is refused when it is to sign.
 */
async function refuseOutliving(
  keyring: Keyring,
  kid: string,
  { at, ttlSeconds }: { readonly at: number; readonly ttlSeconds: number },
): Promise<void> {
  const { graceSeconds } = keyring;
  if (ttlSeconds > graceSeconds) {
    refuseTtl(
      `must be at most ${graceSeconds} (${formatDuration(graceSeconds)}), the grace of keyring ${keyring.name}: its ` +
        'key may be replaced at any moment, and a token that lives longer would outlive it',
    );
  }
  const key = (await keyring.listValidPubkeys()).find((one) => one.kid === kid);
  const until = key?.valid_until ?? null;
  const end = until === null ? null : parseTime(until);
  if (end === null || (at + ttlSeconds) * 1000 <= end.ms) return;
  const left = Math.max(0, Math.floor(end.ms / 1000) - at);
  refuseTtl(
    `must be at most ${left}: key ${kid} is valid until ${until}, and the token would outlive it`,
  );
}

function refuseTtl(message: string): never {
  const field = 'ttl_seconds';
  throw new AgentError('invalid_params', `${field}: ${message}`, {
    details: { issues: [{ field, message }] },
  });
}
