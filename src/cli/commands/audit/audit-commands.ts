import { Option, type Command } from 'commander';
import { auditOutcomes } from '../../../audit/chain/record.ts';
import type { Act } from '../../shell/act.ts';

/** `agentctl audit …`: the flags and the help of what works on the audit log's files. */
export function addAuditCommand(program: Command, act: Act): void {
  const audit = program
    .command('audit')
    .description('verify and show the log of who signed and changed what');
  audit.addHelpText(
    'after',
    `
Both work on the files, while an agent runs and while none does. Run them as the agent's user.

Examples:
  agentctl audit verify --config /etc/signing-agent.toml
  agentctl audit show --since 1h --outcome refused`,
  );
  audit
    .command('verify')
    .description('verify that the log is whole and unchanged; exit code 5 where it is not')
    .argument('[file...]', "in their order (default: all files of the agent's audit directory)")
    .option('--jwks <file>', 'the public keys (default: jwks.json beside the files)')
    .option('--head <seq:hash>', 'a head that was printed before, and must still be there')
    .option('--open', 'the end may be missing: the agent was killed, or is running elsewhere')
    .option('--config <file>', 'the configuration that the agent is started with')
    .option('--state-dir <dir>', 'the state dir that the agent is started with')
    .action(act(async () => (await import('./audit-verify.ts')).verifyAudit))
    .addHelpText(
      'after',
      `
Each record holds the hash of the one before; the log's own records are signed by a key of the agent. So nothing up to
the last signed record can be changed, taken out or put in by somebody who has none of the keys. What was cut off at
the end is seen by three things: an agent that is stopped in order ends the log with a signed "stopped"; one that runs
holds its lock; and a head that was printed before and kept elsewhere must still be in the chain.

The keys beside the files are a convenience: who could change the files could change them too. Keep the public keys
elsewhere and give them with --jwks. Without the oldest files the chain is verified from its first record on.

Exit codes: 0 the chain holds; 5 it does not; 1 the files cannot be read; 2 usage.

Examples:
  agentctl audit verify --config /etc/signing-agent.toml
  agentctl audit verify --jwks keys.jwks --head 4711:9f86d081884c7d65...
  agentctl --json audit verify archive/000001.jsonl archive/000002.jsonl --jwks keys.jwks`,
    );
  audit
    .command('show')
    .description('show the records of the log, without verifying them')
    .argument('[file...]', "in their order (default: all files of the agent's audit directory)")
    .option('--since <time>', 'from then on: how long ago (90s 15m 24h 7d), or an RFC 3339 time')
    .option('--until <time>', 'up to then: how long ago, or an RFC 3339 time')
    .option('--kid <kid>', 'of this key')
    .option('--principal <name>', "of this user's name or uid, or of this API key's id")
    .option('--method <name>', 'of this method, such as sign or rotate')
    .addOption(new Option('--outcome <outcome>', 'with this outcome').choices(auditOutcomes))
    .option('--limit <count>', 'the newest ones alone')
    .option('--config <file>', 'the configuration that the agent is started with')
    .option('--state-dir <dir>', 'the state dir that the agent is started with')
    .action(act(async () => (await import('./audit-show.ts')).showAudit))
    .addHelpText(
      'after',
      `
With --keyring, the records of that keyring alone. With --json, one array of the records as they stand in the files.

Exit codes: 0 done; 1 something could not be read, or is no record: the rest is shown; 2 usage.

Examples:
  agentctl audit show --since 1h --kid 1f2e3d4c
  agentctl audit show --principal build-farm --outcome refused --limit 20
  agentctl --json audit show --since 2026-05-01T00:00:00Z | jq -r '.[].message_sha256[]'`,
    );
}
