import type { PublicKey } from '../../../formats/jose/jwks.ts';
import type { VerificationKeys } from '../../../formats/jose/jwt-verification.ts';
import { UsageError } from '../../shell/failure.ts';
import { inWords, readKeySetFile } from '../signatures/key-set.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** Thousands of keys. */
const maxKeySetBytes = 4 * 1024 * 1024;

/** The keys of a JWK Set, and of those that are passed over (RFC 7517, section 5) why. */
interface TokenKeys {
  readonly keys: VerificationKeys;
  readonly passedOver: ReadonlyMap<string, string>;
}

/**
 * The keys of a JWK Set in a file, by the `kid` that each has there; those without one are passed over too. UsageError
 * as `readKeySetFile` has it, and where nothing is left.
 */
export async function readJwksFile(path: string, terminal: Terminal): Promise<TokenKeys> {
  const set = await readKeySetFile(path, terminal, maxKeySetBytes);
  const keys = new Map<string, PublicKey[]>();
  for (const { kid, key } of set.keys) {
    if (kid === null) continue;
    keys.set(kid, [...(keys.get(kid) ?? []), { kid, ...key }]);
  }
  const passedOver = new Map(
    set.passedOver.flatMap(({ kid, name, reason }) =>
      kid === null || keys.has(kid) ? [] : [[kid, `${name}: ${reason}`]],
    ),
  );
  if (keys.size > 0) return { keys, passedOver };
  throw new UsageError(`${path}: has no Ed25519 or P-256 key with a kid${inWords(set.passedOver)}`);
}
