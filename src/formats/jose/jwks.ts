import * as z from 'zod';
import { encodeBase64 } from '../../base/base64.ts';
import type { PublicJwk } from '../../api/jwt.ts';
import type { AlgorithmName } from '../../api/signing-backend.ts';
import { algorithmNames, type JoseAlg } from '../../algorithms/algorithm-names.ts';

export interface PublicKey {
  readonly kid: string;
  readonly algorithm: AlgorithmName;
  /** Ed25519: 32 bytes. ES256: 65 bytes, 04 first. */
  readonly bytes: Uint8Array;
  /** What its JWK says it is for; absent: whatever keys of its kind are for. */
  readonly alg?: JoseAlg | undefined;
}

const jwkSet = z.looseObject({ keys: z.array(z.record(z.string(), z.unknown())) });
export type JwkSet = z.output<typeof jwkSet>;
type Jwk = JwkSet['keys'][number];

/** A JWK Set (RFC 7517, section 5); null where the text is none. */
export function parseJwkSet(text: string): JwkSet | null {
  try {
    return jwkSet.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/**
 * The set with the keys that it has not, as the text of a file; null where it has them all. The key itself counts:
 * another one may stand there under its id.
 */
export function withKeys(set: JwkSet, keys: readonly Jwk[]): string | null {
  const added: Jwk[] = [];
  for (const key of keys) {
    if (![...set.keys, ...added].some((other) => isSameKey(other, key))) added.push(key);
  }
  return added.length === 0 ? null : jwkSetText({ ...set, keys: [...set.keys, ...added] });
}

export function jwkSetText(set: JwkSet): string {
  return `${JSON.stringify(set, null, 2)}\n`;
}

function isSameKey(one: Jwk, other: Jwk): boolean {
  return ['kid', 'kty', 'crv', 'x', 'y'].every((member) => one[member] === other[member]);
}

/** RFC 8037 for Ed25519; RFC 7518, section 6.2, for P-256. */
export function jwkOf({ kid, algorithm, bytes, alg }: PublicKey): PublicJwk {
  const { alg: usual, kty, crv } = algorithmNames[algorithm].jose;
  const names = { kid, use: 'sig', alg: alg ?? usual } as const;
  if (kty === 'OKP') return { kty, crv, x: encodeBase64(bytes), ...names };
  const [x, y] = [bytes.subarray(1, 33), bytes.subarray(33)];
  return { kty, crv, x: encodeBase64(x), y: encodeBase64(y), ...names };
}
