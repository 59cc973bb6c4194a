import type { BackendDescription } from '../../../api/signing-backend.ts';
import { algorithmNames } from '../../../algorithms/algorithm-names.ts';
import { CommandError } from '../../shell/failure.ts';
import { ask } from '../../shell/session.ts';
import type { GlobalOptions } from '../../shell/terminal.ts';

/** JWS `alg` of the keyring's keys. */
export async function joseAlg(globals: GlobalOptions): Promise<string> {
  const { keyring } = globals;
  const { algorithm } = await ask<BackendDescription>(globals, 'describe_backend', { keyring });
  const names = Object.entries(algorithmNames).find(([name]) => name === algorithm)?.[1];
  if (names !== undefined) return names.jose.alg;
  throw new CommandError(`the keyring has an algorithm that is not known here: ${algorithm}`);
}
