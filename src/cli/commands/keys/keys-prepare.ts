import type { PreparedKey } from '../../../api/signing-backend.ts';
import { parseDuration } from '../../../base/duration.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation, Terminal } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

export interface PrepareOptions {
  readonly activateAfter?: string;
}

/** `agentctl keys prepare`: a key that verifiers can learn before it is used. */
export async function prepareKey(invocation: Invocation<PrepareOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const result = await ask<PreparedKey>(globals, 'prepare', {
    keyring: globals.keyring,
    activate_after_seconds: secondsUntilActive(options.activateAfter),
  });
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  output.line(
    'prepared ',
    { text: result.kid, style: 'bold' },
    `: to be active ${whenActive(result, terminal)}`,
  );
  return exitCodes.done;
}

/** Of `--activate-after`. */
export function secondsUntilActive(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = parseDuration(text);
  if (seconds === null)
    throw new UsageError(`--activate-after: not a duration: ${text} (90s 15m 24h 7d)`);
  return seconds;
}

export function whenActive({ activates_at: time }: PreparedKey, { now }: Terminal): string {
  return time === null ? 'at the next rotation' : when(time, now());
}
