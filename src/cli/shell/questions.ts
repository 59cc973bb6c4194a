import { createInterface } from 'node:readline/promises';
import { CommandError } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** Asks a question; an empty answer is the default. Rejects with CommandError where the input ends. */
export type Question = (text: string, otherwise: string) => Promise<string>;

/** Lets `work` ask at the terminal, one plain line each. */
export async function withQuestions<T>(
  terminal: Terminal,
  work: (question: Question) => Promise<T>,
): Promise<T> {
  const lines = createInterface({
    input: terminal.stdin,
    terminal: false, // no cursor control, and Ctrl-C stays a signal
  });
  const typed = lines[Symbol.asyncIterator]();
  try {
    return await work(async (text, otherwise) => {
      terminal.stderr.write(otherwise === '' ? `${text}: ` : `${text} [${otherwise}]: `);
      const next: IteratorResult<string, undefined> = await typed.next();
      if (next.value === undefined) throw new CommandError('the input ended: nothing was set up');
      return next.value.trim() || otherwise;
    });
  } finally {
    lines.close();
  }
}
