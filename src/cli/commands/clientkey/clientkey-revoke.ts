import type { ClientKeyView } from '../../../api/client-keys.ts';
import { confirm } from '../../shell/confirm.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import { escapeControls } from '../../shell/text.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

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
