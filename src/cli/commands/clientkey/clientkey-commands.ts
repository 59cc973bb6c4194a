import type { Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl clientkey …`: the public keys that answers and backups are sealed for. */
export function addClientKeyCommand(program: Command, act: Act): void {
  const keys = program
    .command('clientkey')
    .description('look after the public keys that secrets are sealed for');
  keys.addHelpText(
    'after',
    `
A client key is an X25519 public key, as age-keygen makes it. What is sealed for it, age -d opens with its identity.

Examples:
  age-keygen -o backup.txt && age-keygen -y backup.txt | agentctl clientkey register - --label backup
  agentctl clientkey list`,
  );
  keys
    .command('register')
    .description('register a public key')
    .argument('<key>', 'an age recipient (age1…), base64, or a file with either; - for stdin')
    .option('--label <text>', 'what it is for')
    .option(
      '--actor <actor>',
      'whose it is: user:NAME or api_key:ID (default: yours; others: admins)',
    )
    .action(act(async () => (await import('./clientkey-register.ts')).registerClientKey))
    .addHelpText(
      'after',
      `
Never give a private key: age-keygen -y FILE prints the public one of an identity file.

Examples:
  agentctl clientkey register age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --label laptop
  age-keygen -y backup.txt | agentctl clientkey register - --label backup
  agentctl clientkey register ci.pub --actor api_key:build-farm`,
    );
  keys
    .command('list')
    .description("list your own keys, the newest first; as an admin, everybody's")
    .option('--all', 'those that are revoked too')
    .option('--actor <actor>', 'those of user:NAME or api_key:ID alone')
    .action(act(async () => (await import('./clientkey-list.ts')).listClientKeys))
    .addHelpText(
      'after',
      `
Examples:
  agentctl clientkey list
  agentctl --json clientkey list --all | jq -r '.keys[].recipient'`,
    );
  keys
    .command('show')
    .description('show everything that is known of one key')
    .argument('<id>', 'its id: ck_ and 32 hex digits')
    .action(act(async () => (await import('./clientkey-show.ts')).showClientKey))
    .addHelpText(
      'after',
      `
Examples:
  agentctl clientkey show ck_00112233445566778899aabbccddeeff`,
    );
  keys
    .command('revoke')
    .description('seal nothing for a key any more; its record stays')
    .argument('<id>', 'its id: ck_ and 32 hex digits')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./clientkey-revoke.ts')).revokeClientKey))
    .addHelpText(
      'after',
      `
What was sealed for it before stays open to whoever has its identity.

Examples:
  agentctl clientkey revoke ck_00112233445566778899aabbccddeeff
  agentctl clientkey revoke ck_00112233445566778899aabbccddeeff --yes`,
    );
}
