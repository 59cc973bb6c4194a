import type { Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl status`, `ping`, `wait`, `whoami` and `reload`: the flags and the help. */
export function addStatusCommands(program: Command, act: Act): void {
  program
    .command('status')
    .description('show what the agent says of itself and its keyrings')
    .option('--check', 'one line for a monitor, and an exit code: 0 well, 1 degraded, 2 down')
    .action(act(async () => (await import('./status.ts')).status))
    .addHelpText(
      'after',
      `
With --check, degraded is an agent with something that wants looking after: a keyring that does not sign, or is not
rotated in time, a CA that is away, wrong signatures of a device. Down is one that signs nothing: no agent answers, no
keyring signs, or the audit log takes no record.

Examples:
  agentctl status
  agentctl status --check
  agentctl --json status | jq '.keyrings[].active_kid'`,
    );
  program
    .command('ping')
    .description('see whether an agent answers, and how soon')
    .action(act(async () => (await import('./ping.ts')).ping))
    .addHelpText(
      'after',
      `
Exit code 3: no agent answers at the socket. Anybody who can reach the socket may ask.

Examples:
  agentctl ping
  agentctl ping && agentctl sign notes.txt`,
    );
  program
    .command('wait')
    .description('wait until an agent answers, and the keyrings named by --keyring sign')
    .option('--timeout <duration>', 'how long at most, such as 5s or 2m', '30s')
    .action(act(async () => (await import('./wait.ts')).wait))
    .addHelpText(
      'after',
      `
Exit code 3: the time was over first. Without --keyring the agent alone is waited for, which anybody may ask; what a
keyring does, readers may.

Examples:
  agentctl wait --timeout 10s
  agentctl --keyring default wait && agentctl sign notes.txt`,
    );
  program
    .command('whoami')
    .description('show whom the agent takes you for, and your scope')
    .action(act(async () => (await import('./whoami.ts')).whoami))
    .addHelpText(
      'after',
      `
Examples:
  agentctl whoami
  agentctl --api-key-file ci.key whoami`,
    );
  program
    .command('reload')
    .description('make the agent read its configuration and its API keys again')
    .action(act(async () => (await import('./reload.ts')).reload))
    .addHelpText(
      'after',
      `
Access rules, limits, log level and API keys count at once, on open connections too. What else was changed is named,
and counts after a restart. What cannot be read stays as it was loaded before: exit code 1 then. SIGHUP does the
same.

Examples:
  agentctl reload
  agentctl --json reload | jq '.kept[].reason'`,
    );
}
