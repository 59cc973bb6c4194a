import { UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import type { Terminal } from '../../shell/terminal.ts';
import type { GivenKey } from './given-key.ts';
import { fromJwk, PrivateKeyError, PublicKeyFormError } from './public-key-forms.ts';

/** A key of a set that can verify signatures. */
interface SetKey {
  /** For messages: the file, and which one it is there, from 1 on. */
  readonly name: string;
  readonly kid: string | null;
  readonly key: GivenKey;
}

/** A key of a set that is passed over (RFC 7517, section 5). */
export interface PassedOver {
  readonly name: string;
  readonly kid: string | null;
  readonly reason: string;
  /** It is of a kind that nothing here signs with, and as such no reason to wonder. */
  readonly isOfOtherKind: boolean;
}

export interface KeySet {
  readonly keys: readonly SetKey[];
  readonly passedOver: readonly PassedOver[];
}

/**
 * A JWK Set (RFC 7517, section 5) in a file of so many bytes at most. UsageError for what is no such file, and for a
 * private key in it: that one lies about, and has to be replaced.
 */
export async function readKeySetFile(
  path: string,
  terminal: Terminal,
  maxBytes: number,
): Promise<KeySet> {
  const keys: SetKey[] = [];
  const passedOver: PassedOver[] = [];
  for (const [at, jwk] of entriesOf(await readInput(path, terminal, maxBytes), path).entries()) {
    const name = `${path}: key ${at + 1}`;
    const kid = isObject(jwk) && typeof jwk['kid'] === 'string' ? jwk['kid'] : null;
    const read = readKey(jwk, name);
    if ('reason' in read) passedOver.push({ name, kid, ...read });
    else keys.push({ name, kid, ...read });
  }
  return { keys, passedOver };
}

/** What of a set was passed over, for the message that says that nothing is left of it. */
export function inWords(passedOver: readonly Pick<PassedOver, 'name' | 'reason'>[]): string {
  const few = passedOver.slice(0, 3).map(({ name, reason }) => `${name}: ${reason}`);
  const more = passedOver.length - few.length;
  return [...few, ...(more > 0 ? [`and ${more} more`] : [])].map((text) => `; ${text}`).join('');
}

function readKey(
  jwk: unknown,
  name: string,
): { readonly key: GivenKey } | Pick<PassedOver, 'reason' | 'isOfOtherKind'> {
  if (!isObject(jwk)) return { reason: 'not a JWK', isOfOtherKind: false };
  try {
    // A key of a kind that is not known may have whatever members its kind has, private ones too.
    if (!isOfKnownKind(jwk)) return { reason: 'a key of another kind', isOfOtherKind: true };
    return { key: fromJwk(JSON.stringify(jwk)) };
  } catch (failure) {
    if (!(failure instanceof PublicKeyFormError)) throw failure;
    if (failure instanceof PrivateKeyError) {
      throw new UsageError(`${name}: ${failure.message}`, { cause: failure });
    }
    return { reason: failure.message, isOfOtherKind: false };
  }
}

type Jwk = Readonly<Record<string, unknown>>;

function entriesOf(content: Buffer, path: string): readonly unknown[] {
  let document: unknown;
  try {
    document = JSON.parse(content.toString('utf8').replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new UsageError(`${path}: not a JWK Set: the JSON cannot be read`, { cause });
  }
  const keys = isObject(document) ? document['keys'] : undefined;
  if (Array.isArray(keys)) return keys;
  throw new UsageError(`${path}: not a JWK Set: {"keys":[...]} is expected`);
}

function isObject(value: unknown): value is Jwk {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOfKnownKind({ kty, crv }: Jwk): boolean {
  return (kty === 'OKP' && crv === 'Ed25519') || (kty === 'EC' && crv === 'P-256');
}
