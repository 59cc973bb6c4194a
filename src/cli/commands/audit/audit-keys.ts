import { isKid, kidOf } from '../../../algorithms/kid.ts';
import { algorithms } from '../../../algorithms/algorithm.ts';
import { UsageError } from '../../shell/failure.ts';
import type { GivenKey } from '../signatures/given-key.ts';
import { inWords, readKeySetFile, type PassedOver } from '../signatures/key-set.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** Tens of thousands of keys. */
const maxKeySetBytes = 16 * 1024 * 1024;

export interface KeySet {
  readonly keys: ReadonlyMap<string, GivenKey>;
  /**
   * A key id is made from its key; where the file says another one, the key's own counts. A key of a known kind that
   * cannot be used is passed over.
   */
  readonly warnings: readonly string[];
}

/**
 * The public keys of a JWK Set (RFC 7517, section 5) by their key ids. UsageError for everything that is no such file,
 * a private key above all.
 */
export async function readKeySet(path: string, terminal: Terminal): Promise<KeySet> {
  const set = await readKeySetFile(path, terminal, maxKeySetBytes);
  const keys = new Map<string, GivenKey>();
  const passedOver: Pick<PassedOver, 'name' | 'reason'>[] = set.passedOver.filter(
    (one) => !one.isOfOtherKind,
  );
  const warnings: string[] = [];
  for (const { name, kid: said, key } of set.keys) {
    if (!algorithms[key.algorithm].isPublicKey(key.bytes)) {
      passedOver.push({ name, reason: `not an acceptable ${key.algorithm} point` });
      continue;
    }
    const kid = kidOf(key.bytes);
    keys.set(kid, key);
    if (said !== null && isKid(said) && said !== kid) {
      warnings.push(`${name} is said to be ${said}, but is ${kid}: the file was changed`);
    }
  }
  if (keys.size === 0) {
    throw new UsageError(`${path}: has no Ed25519 or P-256 key${inWords(passedOver)}`);
  }
  for (const { name, reason } of passedOver) warnings.push(`${name} is passed over: ${reason}`);
  return { keys, warnings };
}
