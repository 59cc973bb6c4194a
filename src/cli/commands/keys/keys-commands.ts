import { Option, type Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl keys …`: the flags and the help of what an operator does with keys. */
export function addKeysCommand(program: Command, act: Act): void {
  const keys = program.command('keys').description('look at and change the keys of a keyring');
  keys.addHelpText(
    'after',
    `
Examples:
  agentctl keys list
  agentctl keys rotate --grace 24h`,
  );
  keys
    .command('list')
    .description('list every key with its state')
    .action(act(async () => (await import('./keys-list.ts')).listKeys))
    .addHelpText(
      'after',
      `
Examples:
  agentctl keys list
  agentctl --json keys list | jq -r '.keys[] | select(.state == "active").public_key_b64'`,
    );
  keys
    .command('show')
    .description('show everything that is known of one key')
    .argument('<kid>', 'the key')
    .addOption(
      new Option('--format <format>', 'print the public key of a valid or prepared key').choices([
        'minisign',
        'ssh',
        'pem',
        'jwk',
        'b64',
      ]),
    )
    .action(act(async () => (await import('./keys-show.ts')).showKey))
    .addHelpText(
      'after',
      `
Examples:
  agentctl keys show 1f2e3d4c
  agentctl keys show 1f2e3d4c --format minisign > minisign.pub
  echo "ann@example.org $(agentctl keys show 1f2e3d4c --format ssh)" >> allowed_signers
  agentctl --json keys show 1f2e3d4c`,
    );
  keys
    .command('prepare')
    .description('make a key that is published now and used from a later rotation on')
    .option('--activate-after <duration>', 'when it is meant to become active, such as 2h')
    .action(act(async () => (await import('./keys-prepare.ts')).prepareKey))
    .addHelpText(
      'after',
      `
Examples:
  agentctl keys prepare
  agentctl keys prepare --activate-after 2h`,
    );
  keys
    .command('rotate')
    .description('make a new key, or the prepared one, active')
    .option(
      '--grace <duration>',
      'how long the previous key stays valid: 90s 15m 24h 7d ' +
        "(default: the keyring's [rotation] grace, else 7d)",
    )
    .action(act(async () => (await import('./keys-rotate.ts')).rotateKey))
    .addHelpText(
      'after',
      `
Examples:
  agentctl keys rotate
  agentctl --keyring ci keys rotate --grace 24h`,
    );
  keys
    .command('prune')
    .description('remove the keys whose grace has ended')
    .option(
      '--left-over',
      'and those that nothing uses and nobody was told of: nothing brings them back',
    )
    .action(act(async () => (await import('./keys-prune.ts')).pruneKeys))
    .addHelpText(
      'after',
      `
A key that a start or a reconcile has found, and that was never acknowledged, is left over: listed as retired, valid
no more. Make sure that no newer copy of the records has it in use before it goes.

Examples:
  agentctl keys prune
  agentctl keys prune --left-over`,
    );
  keys
    .command('revoke')
    .description('make a key invalid at once; an active one is replaced first')
    .argument('<kid>', 'the key')
    .option('--reason <text>', 'kept with the key')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./keys-revoke.ts')).revokeKey))
    .addHelpText(
      'after',
      `
Examples:
  agentctl keys revoke 1f2e3d4c --reason "laptop lost"
  agentctl keys revoke 1f2e3d4c --yes`,
    );
  addImport(keys, act);
  addReseal(keys, act);
  keys
    .command('attest')
    .description('have the device sign what it says of a key: made in it, and never outside')
    .argument('<kid>', 'the key')
    .requiredOption('--nonce <base64>', 'of whoever is to be convinced, 8 to 32 bytes')
    .action(act(async () => (await import('./keys-attest.ts')).attestKey))
    .addHelpText(
      'after',
      `
The answer is a JSON document, for agentctl verify-attestation. An ES256 key of a TPM has one; a key in a file, and an
Ed25519 key, which no TPM makes, has none, and tokens by PKCS#11 have no function for it.

Examples:
  agentctl --keyring edge keys attest 1f2e3d4c --nonce "$NONCE" > attestation.json`,
    );
}

function addImport(keys: Command, act: Act): void {
  keys
    .command('import')
    .description('take over a key that another program made in the same TPM')
    .argument('<file>', 'its key file, PEM with the label TSS2 PRIVATE KEY; - for stdin')
    .option('--password-file <file>', 'the password that the key asks for; - for stdin')
    .option('--activate-after <duration>', 'when it is meant to become active, such as 2h')
    .action(act(async () => (await import('./keys-import.ts')).importKey))
    .addHelpText(
      'after',
      `
For keyrings with backend = "tpm" and algorithm = "es256": key files of OpenSSL's tpm2 provider, ssh-tpm-agent and
tpm2-tools (tpm2_encodeobject). The TPM has to say that it made the key and keeps it (fixedTPM, fixedParent,
sensitiveDataOrigin), and the key signs before it is taken. It is prepared then, as by keys prepare: keys rotate
makes it active. The file is read, and left as it is.

Examples:
  openssl genpkey -provider tpm2 -algorithm EC -pkeyopt group:P-256 -out key.pem
  agentctl --keyring edge keys import key.pem
  agentctl --keyring edge keys rotate --grace 24h`,
    );
}

function addReseal(keys: Command, act: Act): void {
  keys
    .command('reseal')
    .description('seal the key that a TPM keeps for a keyring anew: for another PIN or other PCRs')
    .option('--config <file>', 'the configuration that the agent is started with, as it is to be')
    .option('--state-dir <dir>', 'the state dir that the agent is started with')
    .option(
      '--old-pin-file <file>',
      'the PIN until now; asked for where it is needed and not given',
    )
    .option('--pin-file <file>', 'the PIN from now on, where the configuration names no file')
    .option(
      '--identity <file>',
      'an age identity of the recovery recipient, in the place of the TPM',
    )
    .action(act(async () => (await import('./keys-reseal.ts')).resealKeyring))
    .addHelpText(
      'after',
      `
Works while the agent is down, and only then. Change pcrs and pin-source in the configuration first: the key is
sealed to what they say, and to the values that the PCRs have now. It takes the place of the one before in one
step, once the TPM has given it back; a command that fails or is killed changes nothing.

With --identity the key comes from recovery.age in the keyring's folder: after a firmware update that changed the
PCRs, and on another TPM. Ed25519 keys come back on both; ES256 keys are in the TPM that made them, and nowhere else.

Examples:
  agentctl keys reseal --config /etc/signing-agent.toml
  agentctl --keyring edge keys reseal --config /etc/signing-agent.toml --old-pin-file old.pin
  agentctl --keyring edge keys reseal --config /etc/signing-agent.toml --identity recovery-identity.txt`,
    );
}
