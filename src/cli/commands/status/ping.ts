import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

/** `agentctl ping`: whether an agent answers at the socket, and how soon, the connection included. */
export async function ping({ terminal, globals }: Invocation): Promise<number> {
  const begun = performance.now();
  await ask(globals, 'ping');
  const ms = Math.round((performance.now() - begun) * 10) / 10;
  const output = new Output(terminal);
  if (globals.json) output.json({ milliseconds: ms });
  else output.line(`the agent answers, in ${ms.toFixed(1)} ms`);
  return exitCodes.done;
}
