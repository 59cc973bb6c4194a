import type { Command } from 'commander';
import { completionModel } from './completion-model.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import type { CommandRun } from '../../shell/terminal.ts';

/** `agentctl completion SHELL`: the script that completes this very tree of commands. */
export async function loadCompletion(program: Command): Promise<CommandRun<object>> {
  const [{ bashScript }, { zshScript }, { fishScript }] = await Promise.all([
    import('./completion-bash.ts'),
    import('./completion-zsh.ts'),
    import('./completion-fish.ts'),
  ]);
  const scripts = new Map([
    ['bash', bashScript],
    ['zsh', zshScript],
    ['fish', fishScript],
  ]);
  return ({ terminal, args }) => {
    const script = scripts.get(args[0] ?? '');
    if (script === undefined) throw new UsageError(`no completion for ${args[0] ?? ''}`);
    terminal.stdout.write(script(completionModel(program)));
    return Promise.resolve(exitCodes.done);
  };
}
