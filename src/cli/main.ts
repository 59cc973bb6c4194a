import { programFor } from './programs.ts';
import type { Terminal } from './shell/terminal.ts';

/**
 * Runs one command line, without the program's own name. Answers the exit code; what went wrong has been
 * said on stderr by then.
 */
export async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { run } = await programFor(argv)();
  return run(argv, terminal);
}
