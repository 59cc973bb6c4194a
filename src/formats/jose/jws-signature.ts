import { algorithmNames } from '../../algorithms/algorithm-names.ts';
import { algorithms } from '../../algorithms/algorithm.ts';
import type { CompactJws, JwsFault } from './compact-jws.ts';
import type { PublicKey } from './jwks.ts';

/** Null where this key made the signature, with the algorithm that is the key's own: no other is ever tried. */
export function faultOfSignature(jws: CompactJws, key: PublicKey): JwsFault | null {
  const { alg } = algorithmNames[key.algorithm].jose;
  if (jws.header['alg'] !== alg) {
    return {
      rule: 'alg',
      reason: `the algorithm in the header is not that of the key, ${alg}`,
    };
  }
  const { verify } = algorithms[key.algorithm];
  if (verify(jws.signingInput, jws.signature, key.bytes)) return null;
  return { rule: 'signature', reason: `key ${key.kid} did not make this signature` };
}
