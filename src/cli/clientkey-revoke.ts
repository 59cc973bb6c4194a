import type { ClientKeyView } from '../access/client-key.ts';
import { confirm } from './confirm.ts';
import { exitCodes } from './failure.ts';
import { Output } from './output.ts';
import { ask } from './session.ts';
import { escapeControls } from './text.ts';
import type { Invocation } from './terminal.ts';
import { when } from './when.ts';

export interface RevokeClientKeyOptions {
  readonly yes?: true;
}

/** `agentctl clientkey revoke ID`: asks first; the same key can be registered again, under another id. */
export async function revokeClientKey(
  invocation: Invocation<RevokeClientKeyOptions>,
): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const id = args[0] ?? '';
  if (options.yes !== true) {
    await confirm(terminal, {
      command: 'clientkey revoke',
      question: `Revoke ${escapeControls(id)}? Nothing is sealed for it any more.`,
      otherwise: 'nothing was revoked',
    });
  }
  const result = await ask<ClientKeyView>(globals, 'clientkey_revoke', { id });
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else output.line(`revoked ${result.id} ${when(result.revoked_at ?? '', terminal.now())}`);
  return exitCodes.done;
}
