import type { Backup } from '../../../api/backup.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { refuseExisting, writePrivateFile } from '../../shell/write-private-file.ts';

export interface BackupOptions {
  readonly to: string;
  readonly out?: string;
  readonly force?: true;
}

/** `agentctl backup`: a file keyring's keystore as an age file. */
export async function backupKeyring(invocation: Invocation<BackupOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const { out, force = false } = options;
  const to = options.to.split(',').map((id) => id.trim());
  if (force && out === undefined) throw new UsageError('--force goes with --out');
  // Before the keys are taken out, and recorded as taken out, for nothing.
  if (out !== undefined && !force) refuseExisting(out);
  const result = await ask<Backup>(globals, 'backup', { keyring: globals.keyring, to });
  if (out !== undefined) writePrivateFile(out, result.age, { replace: force });
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
  } else if (out === undefined) {
    terminal.stdout.write(result.age);
  } else {
    const count = result.kids.length === 1 ? '1 key' : `${result.kids.length} keys`;
    const ids = result.recipients.map(({ id }) => id).join(', ');
    output.line(`${count} of keyring ${result.keyring} backed up to ${out}, for ${ids}`);
  }
  return exitCodes.done;
}
