import { ConnectionError } from '../../../client/connection-error.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import type { KnownStatus } from './known-status.ts';
import { wellBeing, type WellBeing } from './well-being.ts';

/** As monitors have them. */
const exitCodeOf: Readonly<Record<WellBeing['state'], number>> = { well: 0, degraded: 1, down: 2 };

/** `agentctl status --check`: one line and an exit code, for monitors. */
export async function checkStatus({ terminal, globals }: Invocation): Promise<number> {
  const { state, problems } = await lookAt();
  const output = new Output(terminal);
  if (globals.json) output.json({ state, problems });
  else output.line([state, ...problems.slice(0, 1)].join(': '));
  if (!globals.json) for (const problem of problems.slice(1)) output.line(problem);
  return exitCodeOf[state];

  async function lookAt(): Promise<WellBeing> {
    try {
      return wellBeing(await ask<KnownStatus>(globals, 'status'));
    } catch (failure) {
      // Who may not ask, and what is no agent, says nothing of one.
      if (!(failure instanceof ConnectionError) || failure.reason === 'untrusted') throw failure;
      return { state: 'down', problems: [failure.message] };
    }
  }
}
