import type { Command } from 'commander';
import type { Act } from '../../shell/act.ts';

/** `agentctl unlock` and `agentctl lock`: their flags and their help. */
export function addLockCommands(program: Command, act: Act): void {
  program
    .command('unlock')
    .description('give a locked keyring the PIN of its token, asked for without echo')
    .option('--pin-file <file>', 'read the PIN from this file or pipe instead; - for stdin')
    .option('--again', 'try it although the token has refused this PIN before')
    .action(act(async () => (await import('./unlock.ts')).unlockKeyring))
    .addHelpText(
      'after',
      `
The agent keeps the PIN in memory until the keyring is locked. A keyring that is open is left as it is, and the
PIN is not tried. A PIN that the token refuses is remembered, through restarts: the agent does not try it again
before it is told to with --again. A PIN file must be closed to others (chmod 0600).

Examples:
  agentctl unlock
  agentctl --keyring prod unlock --pin-file /run/secrets/prod.pin
  pass show prod-pin | agentctl --keyring prod unlock --pin-file -`,
    );
  program
    .command('lock')
    .description('close a keyring, let go of its token and forget the PIN')
    .action(act(async () => (await import('./lock.ts')).lockKeyring))
    .addHelpText(
      'after',
      `
Nothing is signed by the keyring's keys until unlock, or until the agent is started again where the PIN is in a
file (pin-source) or a credential.

Examples:
  agentctl lock
  agentctl --keyring prod lock`,
    );
}
