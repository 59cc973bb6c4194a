import { algorithms } from '../../algorithms/algorithm.ts';
import { faultOfAlg } from './accepted-algs.ts';
import type { CompactJws, JwsFault } from './compact-jws.ts';
import type { PublicKey } from './jwks.ts';

/** Null where this key made the signature, with the algorithm that is the key's own: no other is ever tried. */
export function faultOfSignature(jws: CompactJws, key: PublicKey): JwsFault | null {
  const fault = faultOfAlg(jws.header['alg'], key);
  if (fault !== null) return { rule: 'alg', reason: `the algorithm in the header ${fault}` };
  const { verify } = algorithms[key.algorithm];
  if (verify(jws.signingInput, jws.signature, key.bytes)) return null;
  return { rule: 'signature', reason: `key ${key.kid} did not make this signature` };
}
