import { algorithms } from '../../algorithms/algorithm.ts';
import { faultOfAlg } from './accepted-algs.ts';
import type { CompactJws, JwsFault } from './compact-jws.ts';
import type { PublicKey } from './jwks.ts';

/**
 * Null where this key made the signature, with the algorithm that is the key's own: no other is ever tried. Verifies in
 * the thread pool.
 */
export async function faultOfSignature(jws: CompactJws, key: PublicKey): Promise<JwsFault | null> {
  const fault = faultOfAlg(jws.header['alg'], key);
  if (fault !== null) return { rule: 'alg', reason: `the algorithm in the header ${fault}` };
  const verifier = algorithms[key.algorithm].verifier(key.bytes);
  if (await verifier?.verifyInPool(jws.signingInput, jws.signature)) return null;
  return { rule: 'signature', reason: `key ${key.kid} did not make this signature` };
}
