import type { Run } from './run.ts';

/** A program that has some of the commands. */
interface Program {
  /** Those that it has, at its top. */
  readonly names: readonly string[];
  readonly load: () => Promise<{ readonly run: Run }>;
}

/**
 * A command line loads the commands of its own file alone: building all of them costs more than most do. What is about
 * all commands (help, completion, a word that is none) is in none of these.
 */
export const programs: readonly Program[] = [
  {
    names: ['status', 'ping', 'wait', 'whoami', 'reload'],
    load: () => import('./programs/status.ts'),
  },
  { names: ['keys'], load: () => import('./programs/keys.ts') },
  { names: ['sign', 'verify'], load: () => import('./programs/signatures.ts') },
  { names: ['jwks', 'jwt'], load: () => import('./programs/jwt.ts') },
  { names: ['unlock', 'lock'], load: () => import('./programs/lock.ts') },
  { names: ['apikey'], load: () => import('./programs/apikey.ts') },
  { names: ['clientkey'], load: () => import('./programs/clientkey.ts') },
  { names: ['ca'], load: () => import('./programs/ca.ts') },
  { names: ['backup', 'restore'], load: () => import('./programs/backup.ts') },
  { names: ['trust'], load: () => import('./programs/trust.ts') },
  { names: ['join-token'], load: () => import('./programs/join-token.ts') },
  { names: ['init'], load: () => import('./programs/init.ts') },
  {
    names: ['doctor', 'reconcile', 'verify-attestation'],
    load: () => import('./programs/offline.ts'),
  },
  { names: ['audit'], load: () => import('./programs/audit.ts') },
];

/** Flags of agentctl that are followed by a value. */
export const valuedFlags: readonly string[] = [
  '--socket',
  '--agent-user',
  '--keyring',
  '--api-key-file',
];

/** The program for a command line: the one of its command; else the one that has all. */
export function programFor(argv: readonly string[]): Program['load'] {
  const command = commandIn(argv);
  const program = programs.find(({ names }) => command !== null && names.includes(command));
  return program?.load ?? (() => import('./programs/all.ts'));
}

/** The first word that is neither a flag nor the value of one; null where there is none. */
function commandIn(argv: readonly string[]): string | null {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (!word.startsWith('-')) return word;
    if (valuedFlags.includes(word)) at += 1;
  }
  return null;
}
