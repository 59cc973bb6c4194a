import * as z from 'zod';
import { algorithmNames } from '../algorithms/algorithm-names.ts';
import type { AlgorithmName } from '../api/signing-backend.ts';

/** `[keyrings.NAME.jwt]` */
export const jwtTable = z.strictObject({
  /** `alg` of tokens and key sets: EdDSA (RFC 8037), or Ed25519 (RFC 9864), which says the curve too. */
  alg: z.enum(['EdDSA', 'Ed25519', 'ES256']).optional(),
});

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
