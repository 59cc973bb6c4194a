import type { Reloaded } from '../../../api/reload.ts';
import { CommandError, exitCodes } from '../../shell/failure.ts';
import { Output, type Cell } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

/** Parts of the wire's result, for people. */
const parts: ReadonlyMap<string, string> = new Map([
  ['access', 'access rules'],
  ['log', 'log level'],
  ['api_keys', 'API keys'],
]);

/** `agentctl reload`: the agent reads configuration and API keys again. What could not be read is a failure. */
export async function reload({ terminal, globals }: Invocation): Promise<number> {
  const result = await ask<Reloaded>(globals, 'reload');
  const output = new Output(terminal);
  if (globals.json) output.json(result);
  else output.table([...result.reloaded.map(taken), ...result.kept.map(kept)]);
  const failed = result.kept.filter((part) => part.failed).map(({ part }) => inWords(part));
  if (failed.length === 0) return exitCodes.done;
  throw new CommandError(
    `not everything was reloaded: ${failed.join(' and ')} could not be read, and what was loaded before still counts`,
  );
}

function taken(part: string): Cell[] {
  return [{ text: 'reloaded', style: 'green' }, inWords(part)];
}

function kept({ part, reason, failed }: Reloaded['kept'][number]): Cell[] {
  return [{ text: 'kept', style: failed ? 'red' : 'yellow' }, inWords(part), reason];
}

/** A part of a newer agent is shown under its own name. */
function inWords(part: string): string {
  return parts.get(part) ?? part;
}
