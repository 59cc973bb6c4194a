import { Command, InvalidArgumentError, Option } from 'commander';
import { version } from '../base/version.ts';

/** The flags of the agent and their help; its man page is made from them too. */
export function daemonProgram(): Command {
  return new Command('signing-agent')
    .description(
      'Signs for programs on this machine with keys in a PKCS#11 token or a keystore file.\n' +
        'Runs in the foreground, serves a Unix socket, logs JSON lines to stderr.',
    )
    .option('--config <file>', 'configuration (TOML); without it one file keyring, "default"')
    .option('--state-dir <dir>', 'where keys and state are kept', notEmpty)
    .option('--socket <path>', 'the Unix socket to serve', notEmpty)
    .addOption(
      new Option('--log-level <level>', 'what is logged').choices([
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    )
    .option('--ephemeral', 'run COMMAND beside an agent of its own, whose keys are in memory')
    .addOption(new Option('--ephemeral-of <pid>').argParser(Number).hideHelp())
    .argument('[command...]', 'with --ephemeral, behind --: a program and its arguments')
    .version(version(), '--version')
    .addHelpText(
      'after',
      `
Exit codes: 0 stopped; 2 bad flags or configuration; 3 another agent holds the state dir;
4 a keyring could not be opened.

With --ephemeral the keyring "default" and its keys are there for one command, which finds the agent by
SIGNING_AGENT_SOCK and SSH_AUTH_SOCK; they are gone when it ends, and its exit code is this one's.

Examples:
  signing-agent --state-dir ~/agent --socket ~/agent/agent.sock
  signing-agent --ephemeral -- sh -c 'agentctl sign notes.txt'`,
    );
}

function notEmpty(value: string): string {
  if (value === '') throw new InvalidArgumentError('must not be empty');
  return value;
}
