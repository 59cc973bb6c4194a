import type { ClientKeyView } from '../../../api/client-keys.ts';
import { readClientKey } from './client-key-input.ts';
import { actorParam, ownerText } from './clientkey-text.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface RegisterOptions {
  readonly label?: string;
  readonly actor?: string;
}

/** `agentctl clientkey register KEY`: a public key that answers can be sealed for from then on. */
export async function registerClientKey(invocation: Invocation<RegisterOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const actor = actorParam(options.actor);
  const public_key = await readClientKey(args[0] ?? '', terminal);
  const params = { public_key, label: options.label, actor };
  const result = await ask<ClientKeyView>(globals, 'clientkey_register', params);
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else output.line(`registered ${result.id} for ${ownerText(result)}`);
  return exitCodes.done;
}
