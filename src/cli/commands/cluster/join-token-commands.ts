import { Option, type Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl join-token …`: what lets a machine into the cluster. */
export function addJoinTokenCommand(program: Command, act: Act): void {
  const tokens = program
    .command('join-token')
    .description('mint, verify and revoke the join tokens of the cluster');
  tokens.addHelpText(
    'after',
    `
Whoever has a join token may use it until it expires: hand it on as a password. An argument is in the shell's history
and in the list of processes; a file (mint --out) or a pipe is not.

Examples:
  agentctl join-token mint --claims claims.json --ttl 15m --out join.token
  agentctl join-token verify - < join.token`,
  );
  addMint(tokens, act);
  tokens
    .command('verify')
    .description('verify a token, and say which rule it fails; exit code 5 where it does not hold')
    .argument('<token>', 'a file with the token, - for stdin (best), or the token itself')
    .action(act(async () => (await import('./join-token-verify.ts')).verifyJoinToken))
    .addHelpText(
      'after',
      `
The key of the token must be active or in grace here, or be vouched for by a cluster that is trusted (agentctl trust);
then the signature, the expiry and the revocations are looked at.

Examples:
  agentctl join-token verify - < join.token
  agentctl --json join-token verify join.token | jq -r .rule`,
    );
  tokens
    .command('revoke')
    .description('take a token back, however it is written from then on')
    .argument(
      '<token>',
      'a file with the token, - for stdin (best), the token, or its SHA-256 in hex',
    )
    .action(act(async () => (await import('./join-token-revoke.ts')).revokeJoinToken))
    .addHelpText(
      'after',
      `
A token is refused until it expires. Where only the SHA-256 is known it is refused for 24 hours, and only as it was
written or as the format would write it: a federated one without its certificate, or with another, has another hash.
Revoke the token itself where you have it.

Examples:
  agentctl join-token revoke - < join.token
  agentctl join-token revoke "$(tr -d '\\n' < join.token | sha256sum | cut -c 1-64)"`,
    );
  tokens
    .command('revocations')
    .description('list the tokens that are refused, by their hashes')
    .action(act(async () => (await import('./join-token-revocations.ts')).listRevocations))
    .addHelpText(
      'after',
      `
Examples:
  agentctl join-token revocations
  agentctl --json join-token revocations | jq -r '.revocations[].hash'`,
    );
}

function addMint(tokens: Command, act: Act): void {
  tokens
    .command('mint')
    .description('make a token, signed by the active key of the cluster')
    .option('--claims <file>', 'a JSON object with claims; - for stdin. Flags go before it')
    .option('--api-endpoint <url>', 'where the API of the leader is')
    .option('--raft-endpoint <address>', 'where its Raft port is')
    .option('--leader-wg-pubkey <key>', "the leader's WireGuard public key")
    .option('--overlay-cidr <cidr>', 'the network that the cluster spans')
    .option('--iss <name>', 'who issues the token')
    .option('--iat <time>', 'when it was issued, RFC 3339 (default: now)')
    .option('--exp <time>', 'when it expires, RFC 3339')
    .addOption(
      new Option('--ttl <duration>', 'how long it lives: 90s 15m 24h 7d (default: 24h)').conflicts(
        'exp',
      ),
    )
    .option('--federated', "with the key's certificate, for verifiers of other clusters")
    .option('--out <file>', 'write it to this new file, which only you may read')
    .action(act(async () => (await import('./join-token-mint.ts')).mintJoinToken))
    .addHelpText(
      'after',
      `
--federated takes the certificate that the cluster's CA has issued for the active key: agentctl ca issue makes one.

Examples:
  agentctl join-token mint --claims claims.json --ttl 15m --out join.token
  agentctl join-token mint --claims claims.json --iss node-7 --federated | ssh node-7 join -
  agentctl join-token mint --api-endpoint https://leader:3669 --raft-endpoint 10.0.0.1:3670 \\
    --leader-wg-pubkey "$(wg show wg0 public-key)" --overlay-cidr 10.42.0.0/16 --iss leader`,
    );
}
