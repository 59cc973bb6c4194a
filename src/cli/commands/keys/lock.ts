import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

/** A change under way is waited for, which may make a key in a slow device. Milliseconds. */
const patience = 120_000;

/** `agentctl lock`: closes a keyring and makes the agent forget its PIN. */
export async function lockKeyring({ terminal, globals }: Invocation): Promise<number> {
  const { keyring = 'default' } = globals;
  const result = await ask<object>(globals, 'lock', { keyring }, { timeoutMs: patience });
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else output.line(`keyring ${keyring} is locked`);
  return exitCodes.done;
}
