import { Option, type Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl ca …`: the CA of the cluster and its certificates. */
export function addCaCommand(program: Command, act: Act): void {
  const ca = program.command('ca').description("the cluster's CA and the certificates of its keys");
  ca.addHelpText(
    'after',
    `
The CA certifies the keys of the keyring that [cluster] names, each by itself as soon as it is made. Others verify
the certificates with the CA's public key, which they have from its bundle.

Examples:
  agentctl ca show
  agentctl ca bundle --out prod.bundle`,
  );
  ca.command('show')
    .description('show the CA, and the certificate of the active key')
    .action(act(async () => (await import('./ca-show.ts')).showCa))
    .addHelpText(
      'after',
      `
Examples:
  agentctl ca show
  agentctl --json ca show | jq -c .certificate`,
    );
  ca.command('issue')
    .description('certify the active key once more, and print the certificate')
    .option(
      '--validity <duration>',
      "how long it holds: 90s 15m 24h 7d (default: what remains of the key's life and its grace)",
    )
    .option('--out <file>', 'write the certificate to this file, whole or not at all')
    .action(act(async () => (await import('./ca-issue.ts')).issueCertificate))
    .addHelpText(
      'after',
      `
A key that is rotated by hand is certified for 365 days unless --validity says otherwise.

Examples:
  agentctl ca issue --validity 30d --out signer.cert
  agentctl ca issue | agentctl ca verify -`,
    );
  ca.command('verify')
    .description('verify a certificate; exit code 5 where it does not verify')
    .argument('<file>', 'the certificate; - for stdin')
    .addOption(
      new Option(
        '--ca-public-key <key>',
        'by this CA, without an agent: base64, an ssh line, or a PEM, JWK or ssh file',
      ).conflicts('bundle'),
    )
    .option('--bundle <file>', 'by the CA and for the domain of this bundle, without an agent')
    .action(act(async () => (await import('./ca-verify.ts')).verifyCertificate))
    .addHelpText(
      'after',
      `
Without --ca-public-key and --bundle the agent is asked: its own CA and domain count then, and whether the key is
revoked. With --ca-public-key any domain will do.

Examples:
  agentctl ca verify signer.cert
  agentctl ca verify signer.cert --bundle prod.bundle
  ssh leader agentctl ca issue | agentctl ca verify - --ca-public-key ca.pem`,
    );
  ca.command('bundle')
    .description("print what others need to trust this cluster's certificates")
    .option('--out <file>', 'write it to this file, whole or not at all')
    .action(act(async () => (await import('./ca-bundle.ts')).printBundle))
    .addHelpText(
      'after',
      `
Examples:
  agentctl ca bundle
  agentctl ca bundle --out prod.bundle`,
    );
  ca.command('forget')
    .description(
      'forget the CA whose key is lost for good or known to others; another one is made, for all to trust anew',
    )
    .argument('<kid>', 'the CA that is to be forgotten, as status or the log name it')
    .option('--yes', 'do not ask for confirmation')
    .action(act(async () => (await import('./ca-forget.ts')).forgetCa))
    .addHelpText(
      'after',
      `
Its key must be out of its place before: move cluster-ca.key away, or remove the object from the token; a key that is
there would be the CA again. Nothing takes this back, and it takes nothing back elsewhere: certificates by the old CA
hold until they expire wherever its bundle is trusted. Others import the new one with: agentctl trust import --replace

Examples:
  agentctl ca forget 58de8e3c
  agentctl ca forget 58de8e3c --yes && agentctl ca bundle --out prod.bundle`,
    );
}
