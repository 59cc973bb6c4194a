import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

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
