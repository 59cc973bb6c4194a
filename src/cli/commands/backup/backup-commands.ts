import type { Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl backup` and `agentctl restore`: their flags and their help. */
export function addBackupCommands(program: Command, act: Act): void {
  program
    .command('backup')
    .description("seal a file keyring's keystore for client keys, as an age file")
    .requiredOption('--to <ids>', 'the client keys that can open it: ck_…, or several with commas')
    .option('--out <file>', 'write it to this file, mode 0600 (default: to stdout, armored)')
    .option('--force', 'replace that file where it is there')
    .action(act(async () => (await import('./backup.ts')).backupKeyring))
    .addHelpText(
      'after',
      `
The agent encrypts: no key leaves it in the clear. Any one of the identities opens the file, with age or with
restore. Keyrings in a token are not backed up, since their keys do not leave it.

Examples:
  agentctl backup --to ck_00112233445566778899aabbccddeeff --out default.age
  agentctl --keyring ci backup --to ck_00112233445566778899aabbccddeeff > ci.age
  age -d -i backup.txt default.age | jq -r '.keys[].id'`,
    );
  program
    .command('restore')
    .description("put a file keyring's keystore back from a backup")
    .argument('<file>', 'the age file, armored or binary; - for stdin')
    .requiredOption('--identity <file>', 'an age identity that opens it, as age-keygen writes it')
    .option('--replace', 'where there is a keystore: keep it beside the restored one')
    .option('--config <file>', 'the configuration that the agent is started with')
    .option('--state-dir <dir>', 'the state dir that the agent is started with')
    .action(act(async () => (await import('./restore.ts')).restoreKeyring))
    .addHelpText(
      'after',
      `
The identity stays in this process; its file must be closed to others (chmod 0600). The keystore is checked before
anything is written: every key id is the hash of its key, and the active key signs.

Where an agent runs, it takes the keystore over the socket and goes on with it at once. Where none is reachable the
file itself is written, as the agent's user, with --config and --state-dir as the agent is started with.

Without --replace nothing is overwritten, and what would change is told. Keys that were made or revoked after the
backup are not as they were: those made since go, those revoked since are valid again, and are named.

Examples:
  agentctl restore default.age --identity backup.txt
  agentctl restore default.age --identity backup.txt --replace
  agentctl --keyring ci restore ci.age --identity <(pass show backup-identity) --config /etc/signing-agent.toml`,
    );
}
