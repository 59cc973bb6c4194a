import { parseJwkSet, type Jwk, type PublicKey } from '../../../formats/jose/jwks.ts';
import { UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import { fromJwk, PublicKeyFormError } from '../signatures/public-key-forms.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** Thousands of keys. */
const maxKeySetBytes = 4 * 1024 * 1024;

/**
 * The keys of a JWK Set in a file, by the `kid` that each has there. Those of other kinds and for other uses, and those
 * without a kid, are passed over (RFC 7517, section 5). UsageError for what is no such file, for a private key in it,
 * and for two keys of one kid.
 */
export async function readJwksFile(
  path: string,
  terminal: Terminal,
): Promise<ReadonlyMap<string, PublicKey>> {
  const set = parseJwkSet((await readInput(path, terminal, maxKeySetBytes)).toString('utf8'));
  if (set === null) throw new UsageError(`${path}: not a JWK Set: {"keys":[...]} is expected`);
  const keys = new Map<string, PublicKey>();
  for (const [at, jwk] of set.keys.entries()) {
    const { kid } = jwk;
    if (typeof kid !== 'string' || !isForSignatures(jwk)) continue;
    if (keys.has(kid)) throw new UsageError(`${path}: two keys have the kid ${kid}`);
    keys.set(kid, { kid, ...publicKeyOf(jwk, `${path}: key ${at + 1}`) });
  }
  if (keys.size === 0) throw new UsageError(`${path}: has no Ed25519 or P-256 key with a kid`);
  return keys;
}

function isForSignatures({ kty, crv, use }: Jwk): boolean {
  const isKnown = (kty === 'OKP' && crv === 'Ed25519') || (kty === 'EC' && crv === 'P-256');
  return isKnown && (use === undefined || use === 'sig');
}

function publicKeyOf(jwk: Jwk, name: string): Omit<PublicKey, 'kid'> {
  try {
    return fromJwk(JSON.stringify(jwk));
  } catch (failure) {
    if (!(failure instanceof PublicKeyFormError)) throw failure;
    throw new UsageError(`${name}: ${failure.message}`, { cause: failure });
  }
}
