import { isKid, kidOf } from '../../../algorithms/kid.ts';
import { algorithms } from '../../../algorithms/algorithm.ts';
import { UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import { fromJwk, PublicKeyFormError } from '../signatures/public-key-forms.ts';
import type { GivenKey } from '../signatures/given-key.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** Tens of thousands of keys. */
const maxKeySetBytes = 16 * 1024 * 1024;

export interface KeySet {
  readonly keys: ReadonlyMap<string, GivenKey>;
  /** A key id is made from its key; where the file says another one, the key's own counts. */
  readonly warnings: readonly string[];
}

/**
 * The public keys of a JWK Set (RFC 7517, section 5) by their key ids. Keys of kinds that never sign here are passed
 * over, as that section has it. UsageError for everything that is no such file, a private key above all.
 */
export async function readKeySet(path: string, terminal: Terminal): Promise<KeySet> {
  const content = await readInput(path, terminal, maxKeySetBytes);
  const keys = new Map<string, GivenKey>();
  const warnings: string[] = [];
  for (const [at, jwk] of entriesOf(content.toString('utf8'), path).entries()) {
    if (!isOfKnownKind(jwk)) continue;
    const name = `${path}: key ${at + 1}`;
    const key = publicKeyOf(jwk, name);
    const kid = kidOf(key.bytes);
    keys.set(kid, key);
    const said = jwk['kid'];
    if (typeof said === 'string' && isKid(said) && said !== kid) {
      warnings.push(`${name} is said to be ${said}, but is ${kid}: the file was changed`);
    }
  }
  if (keys.size === 0) throw new UsageError(`${path}: has no Ed25519 or P-256 key`);
  return { keys, warnings };
}

type Jwk = Readonly<Record<string, unknown>>;

function entriesOf(text: string, path: string): readonly Jwk[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`${path}: not a JWK Set: the JSON cannot be read`, { cause });
  }
  const keys = isObject(document) ? document['keys'] : undefined;
  if (!Array.isArray(keys) || !keys.every(isObject)) {
    throw new UsageError(`${path}: not a JWK Set: {"keys":[...]} is expected`);
  }
  return keys;
}

function isObject(value: unknown): value is Jwk {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOfKnownKind({ kty, crv }: Jwk): boolean {
  return (kty === 'OKP' && crv === 'Ed25519') || (kty === 'EC' && crv === 'P-256');
}

function publicKeyOf(jwk: Jwk, name: string): GivenKey {
  let key: GivenKey;
  try {
    key = fromJwk(JSON.stringify(jwk));
  } catch (failure) {
    if (!(failure instanceof PublicKeyFormError)) throw failure;
    throw new UsageError(`${name}: ${failure.message}`, { cause: failure });
  }
  if (algorithms[key.algorithm].isPublicKey(key.bytes)) return key;
  throw new UsageError(`${name}: is not an acceptable ${key.algorithm} point`);
}
