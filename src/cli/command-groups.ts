import type { Command } from 'commander';
import type { Act } from './shell/act.ts';

/** Commands whose flags and help stand in one file, in the order of `agentctl --help`. */
export interface CommandGroup {
  /** Those that it adds to the program. */
  readonly names: readonly string[];
  readonly load: () => Promise<(program: Command, act: Act) => void>;
}

/** A command line loads its own group alone: building all of them costs more than most commands do. */
export const commandGroups: readonly CommandGroup[] = [
  {
    names: ['status', 'reload'],
    load: async () => (await import('./commands/status/status-commands.ts')).addStatusCommands,
  },
  {
    names: ['keys'],
    load: async () => (await import('./commands/keys/keys-commands.ts')).addKeysCommand,
  },
  {
    names: ['sign', 'verify'],
    load: async () => (await import('./commands/signatures/signature-commands.ts')).addSigning,
  },
  {
    names: ['jwks', 'jwt'],
    load: async () => (await import('./commands/jwt/jwt-commands.ts')).addJwtCommands,
  },
  {
    names: ['unlock', 'lock'],
    load: async () => (await import('./commands/keys/lock-commands.ts')).addLockCommands,
  },
  {
    names: ['apikey'],
    load: async () => (await import('./commands/apikey/apikey-commands.ts')).addApiKeyCommand,
  },
  {
    names: ['clientkey'],
    load: async () =>
      (await import('./commands/clientkey/clientkey-commands.ts')).addClientKeyCommand,
  },
  {
    names: ['ca'],
    load: async () => (await import('./commands/cluster/ca-commands.ts')).addCaCommand,
  },
  {
    names: ['backup', 'restore'],
    load: async () => (await import('./commands/backup/backup-commands.ts')).addBackupCommands,
  },
  {
    names: ['trust'],
    load: async () => (await import('./commands/cluster/trust-commands.ts')).addTrustCommand,
  },
  {
    names: ['join-token'],
    load: async () =>
      (await import('./commands/cluster/join-token-commands.ts')).addJoinTokenCommand,
  },
  {
    names: ['init'],
    load: async () => (await import('./commands/init/init-command.ts')).addInitCommand,
  },
  {
    names: ['doctor', 'reconcile', 'verify-attestation'],
    load: async () => (await import('./commands/offline-commands.ts')).addOfflineCommands,
  },
  {
    names: ['audit'],
    load: async () => (await import('./commands/audit/audit-commands.ts')).addAuditCommand,
  },
  {
    names: ['completion'],
    load: async () =>
      (await import('./commands/completion/completion-command.ts')).addCompletionCommand,
  },
];

/** Commands that are about all the others. */
const aboutAll: ReadonlySet<string> = new Set(['completion', 'help']);

/**
 * The groups that a command line needs: that of its command; all, where it names none that there is, so that help and
 * suggestions are whole. `valued`: the program's flags that are followed by a value.
 */
export function groupsFor(
  argv: readonly string[],
  valued: ReadonlySet<string>,
): readonly CommandGroup[] {
  const command = commandIn(argv, valued);
  if (command === null || aboutAll.has(command)) return commandGroups;
  const group = commandGroups.find(({ names }) => names.includes(command));
  return group === undefined ? commandGroups : [group];
}

/** The first word that is neither a flag nor the value of one; null where there is none. */
function commandIn(argv: readonly string[], valued: ReadonlySet<string>): string | null {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (!word.startsWith('-')) return word;
    if (valued.has(word)) at += 1;
  }
  return null;
}
