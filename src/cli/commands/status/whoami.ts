import type { Principal } from '../../../api/principal.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

/** `agentctl whoami`: whom the agent takes the caller for. */
export async function whoami({ terminal, globals }: Invocation): Promise<number> {
  const result = await ask<{ readonly principal: Principal }>(globals, 'whoami');
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  const { kind, name, uid, pid, scope } = result.principal;
  output.table([
    [kind === 'api_key' ? 'API key' : kind, name],
    ['scope', scope],
    ...(uid === null ? [] : [['uid', String(uid)]]),
    ...(pid === null ? [] : [['pid', String(pid)]]),
  ]);
  return exitCodes.done;
}
