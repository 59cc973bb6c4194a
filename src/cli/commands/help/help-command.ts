import { Help, type Command } from 'commander';
import { quoted } from '../../../base/errors.ts';
import { UsageError } from '../../shell/failure.ts';
import { firstHelp } from './first-help.ts';

const atTheEndOfAll = `
Exit codes: 0 done; 1 refused or failed; 2 usage; 3 no agent reachable;
4 not authorised; 5 does not verify.

Examples:
  agentctl status
  agentctl sign release.tar.gz --out release.tar.gz.sig
  agentctl --keyring ci keys list
`;

/** `agentctl help`: what is needed first, everything (`all`), or one command. */
export function addHelpCommand(program: Command): void {
  let isAll = false;
  program.helpCommand(false);
  program
    .command('help')
    .description('print help: for a command, or for all of them')
    .argument('[command...]', 'a command, or all')
    .action((words: readonly string[]) => {
      isAll = words.join(' ') === 'all';
      (isAll ? program : commandOf(program, words)).outputHelp();
    })
    .addHelpText(
      'after',
      `
Examples:
  agentctl help all
  agentctl help keys rotate`,
    );
  program.configureHelp({
    ...program.configureHelp(),
    // Of agentctl itself: its commands have the usual form by now.
    formatHelp: (command, help) =>
      isAll ? `${Help.prototype.formatHelp.call(help, command, help)}${atTheEndOfAll}` : firstHelp,
  });
}

function commandOf(program: Command, words: readonly string[]): Command {
  return words.reduce<Command>((command, word) => {
    const found = command.commands.find((one) => one.name() === word);
    if (found !== undefined) return found;
    throw new UsageError(`there is no command ${quoted(words.join(' '))}: agentctl help all`);
  }, program);
}
