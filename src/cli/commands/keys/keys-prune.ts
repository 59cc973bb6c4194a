import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface PruneKeysOptions {
  readonly leftOver?: true;
}

/** `agentctl keys prune`: removes the keys whose grace has ended, with `--left-over` those that are left over too. */
export async function pruneKeys(invocation: Invocation<PruneKeysOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const params = { keyring: globals.keyring, left_over: options.leftOver };
  const result = await ask<{ pruned: number }>(globals, 'prune_expired_grace', params);
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else if (result.pruned === 0) output.line('nothing to remove: no grace has ended');
  else output.line(`removed ${result.pruned} ${result.pruned === 1 ? 'key' : 'keys'}`);
  return exitCodes.done;
}
