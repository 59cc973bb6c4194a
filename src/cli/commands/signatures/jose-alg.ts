import type { AlgorithmName, BackendDescription } from '../../../api/signing-backend.ts';
import { algorithmNames } from '../../../algorithms/algorithm-names.ts';
import { CommandError, UsageError } from '../../shell/failure.ts';
import { ask } from '../../shell/session.ts';
import type { GlobalOptions } from '../../shell/terminal.ts';

/** The algorithm of the keyring's keys. */
export async function keyringAlgorithm(globals: GlobalOptions): Promise<AlgorithmName> {
  const { keyring, session } = globals;
  // Asked for each of many files.
  const { algorithm } = await session.once(`describe_backend ${keyring ?? ''}`, () =>
    ask<BackendDescription>(globals, 'describe_backend', { keyring }),
  );
  if (Object.hasOwn(algorithmNames, algorithm)) return algorithm;
  throw new CommandError(`the keyring has an algorithm that is not known here: ${algorithm}`);
}

/** Rejects with UsageError where the keyring's keys do not sign by that JWS `alg`. */
export async function requireAlg(globals: GlobalOptions, wanted: string): Promise<void> {
  const algorithm = await keyringAlgorithm(globals);
  const { algs } = algorithmNames[algorithm].jose;
  if (algs.some((alg) => alg === wanted)) return;
  throw new UsageError(`--alg: ${algorithm} keys sign with ${algs.join(' or ')}, not ${wanted}`);
}
