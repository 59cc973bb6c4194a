import type { RevokedApiKey } from '../../../api/api-keys.ts';
import { administer } from './apikey-session.ts';
import { confirm } from '../../shell/confirm.ts';
import { exitCodes } from '../../shell/failure.ts';
import type { OfflineOptions } from '../../offline/offline-settings.ts';
import { Output } from '../../shell/output.ts';
import { escapeControls } from '../../shell/text.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

export interface RevokeOptions extends OfflineOptions {
  readonly yes?: true;
}

/** `agentctl apikey revoke NAME`: asks first, because nothing brings the secret back. */
export async function revokeApiKey(invocation: Invocation<RevokeOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const id = args[0] ?? '';
  if (options.yes !== true) {
    await confirm(terminal, {
      command: 'apikey revoke',
      question: `Revoke API key ${escapeControls(id)}? Whoever uses it is refused from then on, for good.`,
      otherwise: 'nothing was revoked',
    });
  }
  const result = await administer<RevokedApiKey>(invocation, 'apikey_revoke', { id });
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else {
    const { revoked_at: at } = result;
    output.line('revoked ', { text: result.id, style: 'red' }, ` ${when(at, terminal.now())}`);
  }
  return exitCodes.done;
}
