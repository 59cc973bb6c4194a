import type { Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl status` and `agentctl reload`: the flags and the help. */
export function addStatusCommands(program: Command, act: Act): void {
  program
    .command('status')
    .description('show what the agent says of itself and its keyrings')
    .action(act(async () => (await import('./status.ts')).status))
    .addHelpText(
      'after',
      `
Examples:
  agentctl status
  agentctl --json status | jq '.keyrings[].active_kid'`,
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
