import type { Revocation } from '../../../api/signing-backend.ts';
import { confirm } from '../../shell/confirm.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import { escapeControls } from '../../shell/text.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

export interface RevokeOptions {
  readonly reason?: string;
  readonly yes?: true;
}

/** `agentctl keys revoke KID`: asks first, because nothing brings the key back. */
export async function revokeKey(invocation: Invocation<RevokeOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const kid = args[0] ?? '';
  const { keyring } = globals;
  if (options.yes !== true) {
    await confirm(terminal, {
      command: 'revoke',
      question: `Revoke ${escapeControls(kid)}? Its signatures verify nowhere from then on, for good.`,
      otherwise: 'nothing was revoked',
    });
  }
  const params = { keyring, kid, reason: options.reason };
  const result = await ask<Revocation>(globals, 'revoke', params);
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  output.line(
    'revoked ',
    { text: result.kid, style: 'red' },
    ` ${when(result.revoked_at, terminal.now())}`,
  );
  if (result.new_active_kid !== undefined) {
    output.line('active  ', { text: result.new_active_kid, style: 'green' });
  }
  return exitCodes.done;
}
