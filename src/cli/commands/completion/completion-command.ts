import { Argument, type Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl completion SHELL`: the argument and the help. */
export function addCompletionCommand(program: Command, act: Act): void {
  program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .action(act(async () => (await import('./completion.ts')).loadCompletion(program)))
    .addHelpText(
      'after',
      `
Examples:
  source <(agentctl completion bash)
  agentctl completion zsh > "\${fpath[1]}/_agentctl"
  agentctl completion fish > ~/.config/fish/completions/agentctl.fish`,
    );
}
