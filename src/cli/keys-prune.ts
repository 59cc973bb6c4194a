import { exitCodes } from './failure.ts';
import { Output } from './output.ts';
import { ask } from './session.ts';
import type { Invocation } from './terminal.ts';

/** `agentctl keys prune`: removes the keys whose grace has expired. */
export async function pruneKeys({ terminal, globals }: Invocation): Promise<number> {
  const { keyring } = globals;
  const result = await ask<{ pruned: number }>(globals, 'prune_expired_grace', { keyring });
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else if (result.pruned === 0) output.line('nothing to remove: no grace has expired');
  else output.line(`removed ${result.pruned} ${result.pruned === 1 ? 'key' : 'keys'}`);
  return exitCodes.done;
}
