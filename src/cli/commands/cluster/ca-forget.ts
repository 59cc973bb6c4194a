import type { ForgottenCa } from '../../../api/cluster.ts';
import { confirm } from '../../shell/confirm.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import { escapeControls } from '../../shell/text.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface ForgetCaOptions {
  readonly yes?: true;
}

/** `agentctl ca forget KID`: asks first. */
export async function forgetCa(invocation: Invocation<ForgetCaOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const kid = args[0] ?? '';
  if (options.yes !== true) {
    await confirm(terminal, {
      command: 'ca forget',
      question:
        `Forget the cluster CA ${escapeControls(kid)}? Another one is made at once, and everybody needs its bundle. ` +
        'Nothing takes this back.',
      otherwise: 'nothing was forgotten',
    });
  }
  const result = await ask<ForgottenCa>(globals, 'ca_forget', { ca_kid: kid });
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  const { ca_kid, new_ca_kid } = result;
  output.line(`the cluster CA ${ca_kid} is forgotten here`);
  if (new_ca_kid === null) {
    output.line('no other one could be made yet: agentctl status says why, and it is tried again');
  } else {
    output.line('the cluster CA is ', { text: new_ca_kid, style: 'bold' }, ' now');
  }
  output.line(
    `certificates by ${ca_kid} hold until they expire wherever it is trusted: give everybody the new bundle ` +
      '(agentctl ca bundle, trust import --replace)',
  );
  return exitCodes.done;
}
