import type { JwkSet } from '../../../formats/jose/jwks.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

/** `agentctl jwks`: a JWK Set, which is JSON with and without `--json`. */
export async function jwks({ terminal, globals }: Invocation): Promise<number> {
  const keyrings = globals.keyrings.length === 0 ? [undefined] : new Set(globals.keyrings);
  const keys: JwkSet['keys'] = [];
  for (const keyring of keyrings) {
    keys.push(...(await ask<JwkSet>(globals, 'jwks', { keyring })).keys);
  }
  new Output(terminal).json({ keys });
  return exitCodes.done;
}
