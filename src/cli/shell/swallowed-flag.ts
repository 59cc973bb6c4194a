import type { Command, Option } from 'commander';
import { UsageError } from './failure.ts';

/**
 * Throws UsageError where an option that needs a value has taken the next flag for it, as after a script's empty
 * variable: `--out --json` would write a file of that name, and print no JSON.
 */
export function refuseSwallowedFlags(command: Command, argv: readonly string[]): void {
  const options = optionsOf(command);
  const isFlag = (word: string | undefined): boolean => {
    const name = word?.split('=', 1)[0];
    return name !== undefined && options.some(({ long, short }) => name === long || name === short);
  };
  for (const [at, word] of argv.entries()) {
    if (word === '--') return;
    const next = argv[at + 1];
    const needsValue = options.some(
      ({ long, short, required }) => required && (word === long || word === short),
    );
    if (!needsValue || !isFlag(next)) continue;
    throw new UsageError(
      `${word} has no value: ${next} follows; if that is meant, ${word}=${next}`,
    );
  }
}

function optionsOf(command: Command): readonly Option[] {
  return [...command.options, ...(command.parent === null ? [] : optionsOf(command.parent))];
}
