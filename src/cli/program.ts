import { Command, Option } from 'commander';
import { version } from '../base/version.ts';
import { AgentSession } from './shell/agent-session.ts';
import { apiKeyInput, withoutStdin } from './shell/api-key-input.ts';
import type { Act } from './shell/act.ts';
import type { GlobalOptions, Terminal } from './shell/terminal.ts';

/** The flags that stand before every command, as they are given. */
type GlobalFlags = Pick<GlobalOptions, 'socket' | 'agentUser' | 'keyring' | 'json'> & {
  readonly apiKeyFile?: string;
};

/** Adds commands to the program: their flags and their help. */
export type AddCommands = (program: Command, act: Act) => void;

/**
 * The commands, their flags and their help; what they do is in a file each. Completion scripts are made from
 * this tree too: the value names `file` and `kid` tell them what to offer.
 */
export function buildProgram(
  terminal: Terminal,
  finish: (exitCode: number) => void,
  commands: readonly AddCommands[],
): Command {
  const keyrings: string[] = [];
  const act: Act =
    (load) =>
    async (...given) => {
      const command = given.at(-1) as Command;
      const run = await load();
      const { apiKeyFile: file, ...flags } = rootOf(command).opts<GlobalFlags>();
      const apiKey = file === undefined ? undefined : apiKeyInput(file, terminal);
      const session = new AgentSession();
      const invocation = {
        terminal: file === '-' ? withoutStdin(terminal) : terminal,
        globals: { ...flags, keyrings, apiKey, session },
        args: command.processedArgs.flat() as (string | undefined)[],
        options: command.opts(),
      };
      try {
        finish(await run(invocation as Parameters<typeof run>[0]));
      } finally {
        await session.close();
      }
    };
  const program = new Command('agentctl')
    .description('Sign, verify and look after the keys of a running signing-agent.')
    .usage('[options] COMMAND')
    .version(version(), '--version', 'print the version')
    .option(
      '--socket <file>',
      "the agent's socket (default: $SIGNING_AGENT_SOCK, else the agent's own)",
    )
    .option(
      '--agent-user <user>',
      'whom a PIN or an API key may be sent to, beside root and you (default: $SIGNING_AGENT_USER)',
    )
    .addOption(
      new Option('--keyring <name>', 'the keyring (default: default)').argParser((name: string) => {
        keyrings.push(name);
        return name;
      }),
    )
    .option('--json', "print the agent's result as JSON, and failures as JSON on stderr too")
    .option(
      '--api-key-file <file>',
      'authenticate with the API key in this file (0600) or pipe; - for stdin',
    )
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      outputError: () => {
        // The failure is thrown as well, and reported like every other.
      },
    });
  for (const add of commands) add(program, act);
  return program;
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
