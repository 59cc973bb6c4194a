import type { BackendDescription } from '../keyring/signing-backend.ts';
import { algorithmNames } from '../vault/algorithm-names.ts';
import { CommandError } from './failure.ts';
import { ask } from './session.ts';
import type { GlobalOptions } from './terminal.ts';

/** JWS `alg` of the keyring's keys. */
export async function joseAlg(globals: GlobalOptions): Promise<string> {
  const { keyring } = globals;
  const { algorithm } = await ask<BackendDescription>(globals, 'describe_backend', { keyring });
  const names = Object.entries(algorithmNames).find(([name]) => name === algorithm)?.[1];
  if (names !== undefined) return names.jose.alg;
  throw new CommandError(`the keyring has an algorithm that is not known here: ${algorithm}`);
}
