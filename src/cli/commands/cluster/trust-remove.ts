import { confirm } from '../../shell/confirm.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import { escapeControls } from '../../shell/text.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface RemoveTrustOptions {
  readonly yes?: true;
}

/** `agentctl trust remove DOMAIN`: asks first. */
export async function removeTrust(invocation: Invocation<RemoveTrustOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const domain = args[0] ?? '';
  if (options.yes !== true) {
    await confirm(terminal, {
      command: 'trust remove',
      question: `Trust ${escapeControls(domain)} no more? Its join tokens do not verify here from then on.`,
      otherwise: 'nothing was removed',
    });
  }
  const params = { cluster_domain: domain };
  const result = await ask<{ readonly cluster_domain: string }>(globals, 'trust_remove', params);
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else output.line(`${result.cluster_domain} is trusted no more`);
  return exitCodes.done;
}
