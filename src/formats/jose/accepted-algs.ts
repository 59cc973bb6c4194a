import type { AlgorithmName } from '../../api/signing-backend.ts';
import { algorithmNames, type JoseAlg } from '../../algorithms/algorithm-names.ts';

/** A key's kind, and the `alg` that its JWK names, where it names one. */
interface KeyOfAlg {
  readonly algorithm: AlgorithmName;
  readonly alg?: JoseAlg | undefined;
}

/**
 * The `alg` that the header of a JWS by this key may have. A JWK says what its key is for (RFC 7517, section 4.4):
 * `Ed25519` is that alone, and `EdDSA` every algorithm of that family that the key's curve has (RFC 9864, section 4.1.2).
 */
function acceptedAlgs({ algorithm, alg }: KeyOfAlg): readonly JoseAlg[] {
  const { alg: usual, algs } = algorithmNames[algorithm].jose;
  return alg === undefined || alg === usual ? algs : [alg];
}

/** Why a JWS whose header names `alg` is not by this key, to follow "the algorithm in the header"; null where it may be. */
export function faultOfAlg(alg: unknown, key: KeyOfAlg): string | null {
  const accepted: readonly unknown[] = acceptedAlgs(key);
  return accepted.includes(alg) ? null : `is not that of the key, ${accepted.join(' or ')}`;
}
