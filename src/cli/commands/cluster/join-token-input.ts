import { existsSync } from 'node:fs';
import { readInput } from '../../shell/message.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** Beyond any token, whose limit is 64 KiB, with space around it. */
const mostBytes = 66 * 1024;

/**
 * The token that a command is given: from stdin (`-`), out of a file of that name, or the argument itself, without the
 * space around it. Whether it is one is for the agent to say.
 */
export async function readJoinToken(value: string, terminal: Terminal): Promise<string> {
  const isInput = value === '-' || existsSync(value);
  const text = isInput ? (await readInput(value, terminal, mostBytes)).toString('utf8') : value;
  return text.trim();
}
