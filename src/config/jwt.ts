import * as z from 'zod';
import { algorithmNames } from '../algorithms/algorithm-names.ts';
import type { AlgorithmName } from '../api/signing-backend.ts';
import type { JwtPolicy } from '../formats/jose/jwt-policy.ts';
import { duration } from './fields.ts';

const text = z
  .string()
  .min(1)
  .max(1000)
  .refine((given) => !/\p{Cs}/u.test(given), 'has half of a surrogate pair, which is no text');

/** `[keyrings.NAME.jwt]` */
export const jwtTable = z.strictObject({
  /** `alg` of tokens and key sets: EdDSA (RFC 8037), or Ed25519 (RFC 9864), which says the curve too. */
  alg: z.enum(['EdDSA', 'Ed25519', 'ES256']).optional(),
  /** `iss` of every token; left out: the caller says. */
  issuer: text.optional(),
  /** What `aud` may be; left out: the caller says. */
  audiences: z.array(text).min(1, 'must name one; left out: the caller says').optional(),
  /** The longest time from `iat` to `exp`; left out: the grace of the keyring. */
  longest_life: duration.refine((seconds) => seconds > 0, 'must be 1s or longer').optional(),
});

/** What the tokens of a keyring say, whoever asks for them. null: the caller says. */
export function jwtPolicyOf(table: z.output<typeof jwtTable> | undefined): JwtPolicy {
  return {
    issuer: table?.issuer ?? null,
    audiences: table?.audiences ?? null,
    longestLifeSeconds: table?.longest_life ?? null,
  };
}

export const jwtKeys: readonly string[] = Object.keys(jwtTable.shape);

/** Why keys of this algorithm cannot sign by that `alg`; null where they can. */
export function faultOfJwtAlg(
  algorithm: AlgorithmName,
  alg: z.output<typeof jwtTable>['alg'],
): string | null {
  const { algs } = algorithmNames[algorithm].jose;
  if (alg === undefined || algs.includes(alg)) return null;
  return `${algorithm} keys sign with ${algs.join(' or ')}`;
}
