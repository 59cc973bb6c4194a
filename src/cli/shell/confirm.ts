import { createInterface } from 'node:readline/promises';
import { CommandError, UsageError } from './failure.ts';
import type { Terminal } from './terminal.ts';

/**
 * Asks for a yes at the terminal before something that nothing takes back. `question` must be escaped where parts of
 * it came from somewhere else. UsageError where there is nobody to ask, CommandError with `otherwise` for any other
 * answer, the end of input too.
 */
export async function confirm(
  terminal: Terminal,
  { command, question, otherwise }: { command: string; question: string; otherwise: string },
): Promise<void> {
  if (terminal.stdin.isTTY !== true) {
    throw new UsageError(`${command} asks for confirmation and there is no terminal; give --yes`);
  }
  const lines = createInterface({
    input: terminal.stdin,
    output: terminal.stderr,
    terminal: false, // one plain line: no cursor control, and Ctrl-C stays a signal
  });
  const ended = new Promise<string>((resolve) =>
    lines.once('close', () => {
      resolve('');
    }),
  );
  const answer = await Promise.race([lines.question(`${question} [y/N] `), ended]);
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError(otherwise);
}
