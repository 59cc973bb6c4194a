import { Option, type Command } from 'commander';
import { backendNames, kindOf } from '../../../vault/kinds/kinds.ts';
import type { Act } from '../../shell/act.ts';

/** `agentctl init`: its flags and its help. */
export function addInitCommand(program: Command, act: Act): void {
  const command = program
    .command('init')
    .description('set up a state dir, a configuration, the first key and the first admin API key')
    .option('--config <file>', 'the configuration; written where it does not exist (default: none)')
    .option('--state-dir <dir>', "the agent's state dir")
    .addOption(
      new Option('--backend <backend>', 'where the keys of a new configuration are').choices(
        backendNames,
      ),
    );
  for (const backend of backendNames) {
    for (const { key, value, description } of kindOf({ backend }).init.flags) {
      command.option(`--${key} ${value}`, `${description}, for --backend ${backend}`);
    }
  }
  command
    .option('--yes', 'ask nothing: defaults where no flag says otherwise')
    .action(act(async () => (await import('./init.ts')).init))
    .addHelpText(
      'after',
      `
Run it as the agent's user. At a terminal it asks what no flag answers. --keyring names the keyring of a new
configuration (default: default). What is there already is left as it is: a second run changes nothing.

The secret of the API key "admin" is written to admin-key.txt in the state dir (0600). The keys of a token are made
by the agent when it starts.

Examples:
  agentctl init
  agentctl init --config /etc/signing-agent.toml --yes
  agentctl init --config /etc/signing-agent.toml --backend pkcs11 --uri 'pkcs11:token=prod?module-path=/usr/lib/softhsm/libsofthsm2.so'`,
    );
}
