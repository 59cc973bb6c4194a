import type { Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl trust …`: the other clusters whose certificates are believed. */
export function addTrustCommand(program: Command, act: Act): void {
  const trust = program.command('trust').description('look after the clusters that are trusted');
  trust.addHelpText(
    'after',
    `
A trust bundle names a cluster's domain and the key of its CA; agentctl ca bundle prints one there. With it, federated
join tokens of that cluster verify here.

Examples:
  agentctl trust import other.example.json
  agentctl trust list`,
  );
  trust
    .command('import')
    .description('trust a cluster, or take a newer bundle of one')
    .argument('<file>', 'the trust bundle; - for stdin')
    .option('--replace', 'also where the domain has another CA by now')
    .option('--fingerprint <sha256>', "what the SHA-256 of the CA's key must be")
    .action(act(async () => (await import('./trust-import.ts')).importTrust))
    .addHelpText(
      'after',
      `
A bundle that is older than the one that is known is refused, with --replace too. Nothing in a bundle proves that it
is the cluster's: get it in a way that you trust, and compare the SHA-256 that agentctl ca show has there. The kid is too
short for that: another key can be made for it.

Examples:
  agentctl trust import other.example.json --fingerprint "$(cat read-out-to-me)"
  ssh leader agentctl ca bundle | agentctl trust import -`,
    );
  trust
    .command('list')
    .description('list the clusters that are trusted')
    .action(act(async () => (await import('./trust-list.ts')).listTrust))
    .addHelpText(
      'after',
      `
Examples:
  agentctl trust list
  agentctl --json trust list | jq -r '.bundles[].cluster_domain'`,
    );
  trust
    .command('remove')
    .description('trust a cluster no more')
    .argument('<domain>', 'its domain, as trust list shows it')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./trust-remove.ts')).removeTrust))
    .addHelpText(
      'after',
      `
Its join tokens do not verify here from then on. An older bundle of the same domain can be imported afterwards.

Examples:
  agentctl trust remove other.example
  agentctl trust remove other.example --yes`,
    );
}
