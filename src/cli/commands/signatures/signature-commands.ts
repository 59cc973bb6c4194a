import { Option, type Command } from 'commander';
import type { Act } from '../../shell/act.ts';
import { joseAlgOption } from './jose-alg-option.ts';

/** `agentctl sign` and `agentctl verify`: the flags and the help. */
export function addSigning(program: Command, act: Act): void {
  const formats = new Option('--format <format>', 'b64 unless --out is given, then raw');
  program
    .command('sign')
    .description('sign files, or stdin')
    .argument('[file...]', 'what to sign; stdin where it is left out or -')
    .option('--kid <kid>', 'the key (default: the active one)')
    .addOption(formats.choices(['raw', 'b64', 'json', 'sshsig', 'minisign', 'jws']))
    .option('--out <file>', 'write the signature to this file, whole or not at all')
    .option('--suffix <text>', 'write each signature to the name of its file and this, as in .sig')
    .option('--stdin-list', 'sign the files whose names stand on stdin, as they come, one a line')
    .option('-0, --null', 'of --stdin-list: the names end with NUL')
    .addOption(joseAlgOption())
    .option('--namespace <name>', 'of an sshsig: what it is for (default: file)')
    .option('--trusted-comment <text>', 'of a minisign signature (default: time and file name)')
    .action(act(async () => (await import('./sign.ts')).sign))
    .addHelpText(
      'after',
      `
Examples:
  echo -n hello | agentctl sign
  agentctl sign release.tar.gz --out release.tar.gz.sig
  agentctl --keyring ci sign --format json manifest.json
  agentctl sign release.tar.gz --format sshsig --out release.tar.gz.sig
  agentctl sign release.tar.gz --format minisign --out release.tar.gz.minisig
  agentctl sign --format jws manifest.json --out manifest.jws
  agentctl sign --format minisign --suffix .minisig dist/*.tar.gz
  find dist -type f -print0 | agentctl --json sign --stdin-list -0

Several files are signed over one connection. Without --suffix there is a line for each, in their order: the signature,
two spaces and the name; with --json an object that has the name as file. A file that cannot be read is named, the others
are signed, and the exit code is 1.`,
    );
  program
    .command('verify')
    .description('verify a signature, strictly; exit code 5 where it does not verify')
    .argument('[file]', 'what was signed; stdin where it is left out or -')
    .requiredOption(
      '--signature <file>',
      'raw, base64, the JSON that sign printed, an sshsig or minisign file, or a compact JWS',
    )
    .option('--kid <kid>', 'this key alone (default: every valid key of the keyring)')
    .addOption(
      new Option(
        '--public-key <key>',
        'this key, without an agent: base64, an ssh line, or a PEM, JWK, ssh or minisign file',
      ).conflicts('kid'),
    )
    .addOption(
      new Option(
        '--allowed-signers <file>',
        'of an sshsig: who may sign, as for ssh-keygen, without an agent',
      ).conflicts(['kid', 'publicKey']),
    )
    .option('--identity <name>', 'of an sshsig: who is to have signed, with --allowed-signers')
    .option('--namespace <name>', 'of an sshsig: what it is for (default: file)')
    .option('--at <time>', 'of an sshsig: as of then, with --allowed-signers (default: now)')
    .option(
      '--revoked <file>',
      'of an sshsig: not by these keys: a KRL, or public keys, one a line',
    )
    .action(act(async () => (await import('./verify.ts')).verify))
    .addHelpText(
      'after',
      `
Examples:
  agentctl verify release.tar.gz --signature release.tar.gz.sig
  agentctl verify release.tar.gz --signature release.tar.gz.sig --public-key signer.pem
  agentctl verify notes.txt --signature notes.sig --public-key "$(cat ~/.ssh/id_ed25519.pub)"
  agentctl verify notes.txt --signature notes.sig --allowed-signers allowed_signers --identity ann@example.org`,
    );
}
