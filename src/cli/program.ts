import { addSigning } from './commands/signatures/signature-commands.ts';
import { Argument, Command, Option } from 'commander';
import { version } from '../base/version.ts';
import { AgentSession } from './shell/agent-session.ts';
import { apiKeyInput, withoutStdin } from './shell/api-key-input.ts';
import { addApiKeyCommand } from './commands/apikey/apikey-commands.ts';
import { addAuditCommand } from './commands/audit/audit-commands.ts';
import { addBackupCommands } from './commands/backup/backup-commands.ts';
import { addCaCommand } from './commands/cluster/ca-commands.ts';
import { addClientKeyCommand } from './commands/clientkey/clientkey-commands.ts';
import { addInitCommand } from './commands/init/init-command.ts';
import { addJoinTokenCommand } from './commands/cluster/join-token-commands.ts';
import { addJwtCommands } from './commands/jwt/jwt-commands.ts';
import { addKeysCommand } from './commands/keys/keys-commands.ts';
import { addLockCommands } from './commands/keys/lock-commands.ts';
import { addOfflineCommands } from './commands/offline-commands.ts';
import { addTrustCommand } from './commands/cluster/trust-commands.ts';
import type { Act } from './shell/act.ts';
import type { GlobalOptions, Terminal } from './shell/terminal.ts';

/** The flags that stand before every command, as they are given. */
type GlobalFlags = Pick<GlobalOptions, 'socket' | 'agentUser' | 'keyring' | 'json'> & {
  readonly apiKeyFile?: string;
};

/**
 * The commands, their flags and their help; what they do is in a file each. Completion scripts are made from
 * this tree too: the value names `file` and `kid` tell them what to offer.
 */
export function buildProgram(terminal: Terminal, finish: (exitCode: number) => void): Command {
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
  addHelp(
    program,
    `
Exit codes: 0 done; 1 refused or failed; 2 usage; 3 no agent reachable; 4 not authorised; 5 does not verify.

Examples:
  agentctl status
  agentctl sign release.tar.gz --out release.tar.gz.sig
  agentctl --keyring ci keys list`,
  );
  addHelp(
    program
      .command('status')
      .description('show what the agent says of itself and its keyrings')
      .action(act(async () => (await import('./commands/status/status.ts')).status)),
    `
Examples:
  agentctl status
  agentctl --json status | jq '.keyrings[].active_kid'`,
  );
  addHelp(
    program
      .command('reload')
      .description('make the agent read its configuration and its API keys again')
      .action(act(async () => (await import('./commands/status/reload.ts')).reload)),
    `
Access rules, limits, log level and API keys count at once, on open connections too. What else was changed is named,
and counts after a restart. What cannot be read stays as it was loaded before: exit code 1 then. SIGHUP does the
same.

Examples:
  agentctl reload
  agentctl --json reload | jq '.kept[].reason'`,
  );
  addKeysCommand(program, act);
  addSigning(program, act);
  addJwtCommands(program, act);
  addLockCommands(program, act);
  addApiKeyCommand(program, act);
  addClientKeyCommand(program, act);
  addCaCommand(program, act);
  addBackupCommands(program, act);
  addTrustCommand(program, act);
  addJoinTokenCommand(program, act);
  addInitCommand(program, act);
  addOfflineCommands(program, act);
  addAuditCommand(program, act);
  addHelp(
    program
      .command('completion')
      .description('print a completion script for a shell')
      .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
      .action(
        act(async () =>
          (await import('./commands/completion/completion.ts')).loadCompletion(program),
        ),
      ),
    `
Examples:
  source <(agentctl completion bash)
  agentctl completion zsh > "\${fpath[1]}/_agentctl"
  agentctl completion fish > ~/.config/fish/completions/agentctl.fish`,
  );
  return program;
}

/** Help of a command, with what follows it. */
function addHelp(command: Command, text: string): void {
  command.addHelpText('after', text);
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
