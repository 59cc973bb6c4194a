import { CommanderError } from 'commander';
import { exitCodes, reportFailure, UsageError } from './shell/failure.ts';
import { buildProgram, type AddCommands } from './program.ts';
import { refuseSwallowedFlags } from './shell/swallowed-flag.ts';
import type { Terminal } from './shell/terminal.ts';

/** Runs one command line, as `main` does. */
export type Run = (argv: readonly string[], terminal: Terminal) => Promise<number>;

/** Runs command lines of these commands. */
export function withCommands(commands: readonly AddCommands[]): Run {
  return (argv, terminal) => run(argv, terminal, commands);
}

async function run(
  argv: readonly string[],
  terminal: Terminal,
  commands: readonly AddCommands[],
): Promise<number> {
  const garbled = argv.findIndex((word) => word.includes('\ufffd'));
  if (garbled >= 0) return reportFailure(notUtf8(garbled + 1), terminal, wantsJson(argv));
  let exitCode: number = exitCodes.done;
  const finish = (code: number): void => {
    exitCode = code;
  };
  const program = buildProgram(terminal, finish, commands);
  program.hook('preAction', (_, command) => {
    refuseSwallowedFlags(command, argv);
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportFailure(error, terminal, wantsJson(argv));
    // Help and version that were asked for come as errors too.
    if (error.exitCode === 0) return exitCodes.done;
    return reportFailure(usageError(error), terminal, wantsJson(argv));
  }
}

/** Node has put U+FFFD for bytes that are no UTF-8: another file than the one that was meant. */
function notUtf8(position: number): UsageError {
  return new UsageError(
    `word ${position} of the command line is not UTF-8, and cannot be told from others: give the file on stdin, or ` +
      'another name',
  );
}

/** commander's `error: …` with its suggestion on a line of its own, as one sentence. */
function usageError(error: CommanderError): UsageError {
  // commander has printed the help by then.
  if (error.code === 'commander.help') return new UsageError('no command was given');
  const said = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  const hint =
    error.code === 'commander.unknownOption'
      ? '; what is no option and begins with - goes behind --, and the value of one behind =, as in --out=-x'
      : '';
  const message = `${said}${hint}`;
  return new UsageError(message, { cause: error });
}

/** Also of a command line that could not be parsed. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}
