import { Help, Option, type Command } from 'commander';
import type { Act } from '../../shell/act.ts';

const durations = '30d, 12h, or an RFC 3339 time';

/** `agentctl apikey …`: secrets that give a program less than its user, or more, and that can be taken back. */
export function addApiKeyCommand(program: Command, act: Act): void {
  const keys = program.command('apikey').description('look after API keys');
  keys.addHelpText(
    'after',
    `
Where no agent runs, these commands work on the state dir's api-keys.json itself: name it with --config or
--state-dir as for the agent, and run them as its user.

Examples:
  agentctl apikey create build-farm --scope app --keyring ci --user ci --expires 30d --machine this
  agentctl apikey list
  agentctl apikey revoke build-farm`,
  );
  const create = keys
    .command('create')
    .description('make an API key; its secret is shown this once')
    .argument('<name>', 'its name: 1 to 31 of a-z, 0-9 and -');
  create.addOption(scopeOption().makeOptionMandatory());
  addRestrictions(create)
    .option('--expires <when>', `when it ends: ${durations} (default: never)`)
    .option('--note <text>', 'what it is for')
    .option('--max-signatures <n>', 'most signatures a second, over all its connections')
    .option('--max-connections <n>', 'most connections at a time')
    .option('--out <file>', 'write the secret to this new file (0600), and do not show it')
    .option(
      '--seal-to <id>',
      'answer with the secret only as an age file for this client key (ck_…)',
    );
  addWhere(create)
    .action(act(async () => (await import('./apikey-create.ts')).createApiKey))
    .addHelpText(
      'after',
      `
--keyring, --purpose, --user and --machine may be given several times. A user that does not exist here allows nobody.
What a keyring is not for, no key has signed with it.

Examples:
  agentctl apikey create build-farm --scope app --keyring ci --keyring nightly --user ci --out build-farm.key
  agentctl apikey create releases --scope app --keyring ci --purpose minisign --purpose sshsig:file
  agentctl apikey create monitor --scope reader --expires 2027-01-01T00:00:00Z --note "dashboards"
  agentctl apikey create deploy --scope app --seal-to ck_00112233445566778899aabbccddeeff --out deploy.age`,
    );
  addWhere(keys.command('list'))
    .description('list the API keys: never their secrets')
    .action(act(async () => (await import('./apikey-list.ts')).listApiKeys))
    .addHelpText(
      'after',
      `
When a key was used last is known since the agent's start.

Examples:
  agentctl apikey list
  agentctl --json apikey list | jq -r '.keys[] | select(.state != "valid").id'`,
    );
  addUpdate(keys, act);
  addWhere(keys.command('revoke'))
    .description('end an API key: connections that use it are refused from their next request on')
    .argument('<name>', 'its name')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./apikey-revoke.ts')).revokeApiKey))
    .addHelpText(
      'after',
      `
Examples:
  agentctl apikey revoke build-farm
  agentctl apikey revoke build-farm --yes`,
    );
  keys
    .command('machine')
    .description("print this machine's fingerprint, for --machine; needs no agent")
    .action(act(async () => (await import('./apikey-machine.ts')).printMachine))
    .addHelpText(
      'after',
      `
A SHA-256 over /etc/machine-id, which cannot be told from it.

Examples:
  agentctl apikey create build-farm --scope app --machine "$(ssh farm agentctl apikey machine)"`,
    );
}

function addUpdate(keys: Command, act: Act): void {
  const update = keys
    .command('update')
    .description('change what an API key may do; its secret stays the same')
    .argument('<name>', 'its name')
    .addOption(scopeOption());
  addRestrictions(update)
    .option('--any-keyring', 'every keyring from now on')
    .option('--any-purpose', 'every purpose from now on')
    .option('--any-user', 'every user from now on')
    .option('--any-machine', 'every machine from now on')
    .option('--expires <when>', `when it ends: ${durations}`)
    .option('--no-expires', 'it never ends')
    .option('--note <text>', 'what it is for')
    .option('--no-note', 'take the note away')
    .option('--max-signatures <n>', 'most signatures a second, over all its connections')
    .option('--no-max-signatures', 'take that limit away')
    .option('--max-connections <n>', 'most connections at a time')
    .option('--no-max-connections', 'take that limit away');
  addWhere(update)
    .action(act(async () => (await import('./apikey-update.ts')).updateApiKey))
    .addHelpText(
      'after',
      `
What is not named stays as it is. --keyring, --purpose, --user and --machine replace the whole list, and may be given
several times. Connections that use the key go by the new rules from their next request on.

Examples:
  agentctl apikey update build-farm --expires 90d
  agentctl apikey update build-farm --keyring ci --keyring nightly
  agentctl apikey update from-before --scope app`,
    );
}

function scopeOption(): Option {
  return new Option('--scope <scope>', 'reader looks, app signs, admin changes').choices([
    'reader',
    'app',
    'admin',
  ]);
}

/**
 * The global --keyring takes every --keyring of a command line, wherever it stands; here it is listed for what it
 * means to this command.
 */
function addRestrictions(command: Command): Command {
  const several = (value: string, before: readonly string[] = []): readonly string[] => [
    ...before,
    value,
  ];
  return command
    .option('--keyring <name>', 'a keyring that it may use (default: all)')
    .addOption(
      new Option(
        '--purpose <name>',
        'what it may have signed: raw, ssh-login, ssh-cert, sshsig or sshsig:NAMESPACE, minisign, jwt, jws, join-token, x509 (default: all)',
      ).argParser(several),
    )
    .addOption(
      new Option('--user <name>', 'a user who may use it (default: all)').argParser(several),
    )
    .addOption(
      new Option(
        '--machine <id>',
        'a machine that it may be used on: this, or a fingerprint (default: all)',
      ).argParser(several),
    )
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: (shown: Command) =>
        Object.assign(new Help(), { showGlobalOptions: true })
          .visibleGlobalOptions(shown)
          .filter(({ long }) => long !== '--keyring'),
    });
}

function addWhere(command: Command): Command {
  return command
    .option('--config <file>', 'the configuration that the agent is started with')
    .option('--state-dir <dir>', 'the state dir that the agent is started with');
}
