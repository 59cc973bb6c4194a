import type { AlgorithmName, BackendDescription } from '../../../api/signing-backend.ts';
import { algorithmNames, type JoseAlg } from '../../../algorithms/algorithm-names.ts';
import type { JwkSet } from '../../../formats/jose/jwks.ts';
import { CommandError, UsageError } from '../../shell/failure.ts';
import { ask } from '../../shell/session.ts';
import type { GlobalOptions } from '../../shell/terminal.ts';

/** The algorithm of the keyring's keys. */
export async function keyringAlgorithm(globals: GlobalOptions): Promise<AlgorithmName> {
  const { keyring } = globals;
  const { algorithm } = await ask<BackendDescription>(globals, 'describe_backend', { keyring });
  if (Object.hasOwn(algorithmNames, algorithm)) return algorithm;
  throw new CommandError(`the keyring has an algorithm that is not known here: ${algorithm}`);
}

/**
 * JWS `alg` for a signature by this key: the one that is wanted, else the one that the keyring's key set says. Rejects
 * with UsageError where the key does not sign by that.
 */
export async function headerAlg(
  globals: GlobalOptions,
  kid: string,
  wanted: string | undefined,
): Promise<JoseAlg> {
  const { keyring } = globals;
  const algorithm = await keyringAlgorithm(globals);
  const { alg: usual, algs } = algorithmNames[algorithm].jose;
  if (wanted !== undefined) {
    const known = algs.find((alg) => alg === wanted);
    if (known !== undefined) return known;
    throw new UsageError(`--alg: ${algorithm} keys sign with ${algs.join(' or ')}, not ${wanted}`);
  }
  if (algs.length === 1) return usual;
  const { keys } = await ask<JwkSet>(globals, 'jwks', { keyring });
  const said = keys.find((jwk) => jwk['kid'] === kid)?.['alg'];
  return algs.find((alg) => alg === said) ?? usual;
}
