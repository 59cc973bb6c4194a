import { randomBytes } from 'node:crypto';
import type { Restored } from '../../../api/backup.ts';
import { openSealed } from '../../../formats/age/sealing.ts';
import { AgentError, describeFailure } from '../../../base/errors.ts';
import { ConnectionError } from '../../../client/connection-error.ts';
import { openLibc, type Libc } from '../../../native/libc.ts';
import { kidsInWords } from '../../../vault/file/keystore-copies.ts';
import { checkedBackup } from '../../../vault/file/checked-backup.ts';
import { CommandError, exitCodes } from '../../shell/failure.ts';
import { readIdentities } from '../../shell/identity-file.ts';
import { readInput } from '../../shell/message.ts';
import {
  agentSocket,
  offlineSettings,
  type OfflineOptions,
} from '../../offline/offline-settings.ts';
import { Output, type Cell } from '../../shell/output.ts';
import { restoreOffline } from './restore-offline.ts';
import { ask } from '../../shell/session.ts';
import { escapeControls } from '../../shell/text.ts';
import type { GlobalOptions, Invocation, Terminal } from '../../shell/terminal.ts';

export interface RestoreOptions extends OfflineOptions {
  readonly identity: string;
  readonly replace?: true;
}

/** A keystore is at most 16 MiB, and armor takes a third more. */
const mostBytes = 23 * 1024 * 1024;
/** Characters of base64 that fit into the line that an agent takes unless it is set otherwise. */
const usualLimit = 255 * 1024;
const offlineInstead = 'stop the agent, and run restore again, which then writes the file itself';

/** `agentctl restore FILE`: decrypts here, and gives the keystore to the agent or puts it into its file. */
export async function restoreKeyring(invocation: Invocation<RestoreOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const file = args[0] ?? '-';
  const libc = openLibc();
  libc.refuseCoreDumps(); // the keys are in this process for a moment
  const keystore = await decrypted(file, options.identity, terminal);
  try {
    checkedBackup(keystore, { randomBytes });
    const restored = await restore(keystore, invocation, libc);
    report(restored, globals, terminal);
    return exitCodes.done;
  } finally {
    keystore.fill(0);
  }
}

async function decrypted(file: string, identity: string, terminal: Terminal): Promise<Buffer> {
  const identities = await readIdentities(identity, terminal);
  const sealed = await readInput(file, terminal, mostBytes);
  const name = file === '-' ? 'stdin' : file;
  try {
    return await openSealed(sealed, identities);
  } catch (failure) {
    const why = describeFailure(failure);
    throw new CommandError(
      /^no identity matched/.test(why)
        ? `no identity of ${identity} opens ${name}: it was made for other keys. Nothing was changed`
        : `${name} is no whole age file (${why}): it is damaged or cut short. Nothing was changed`,
      { cause: failure },
    );
  }
}

/** By the agent where one answers, else on the file itself. */
async function restore(
  keystore: Buffer,
  { terminal, globals, options }: Invocation<RestoreOptions>,
  libc: Libc,
): Promise<Restored> {
  const { keyring } = globals;
  const replace = options.replace === true;
  const socket = agentSocket(globals, options, terminal);
  const keystore_b64 = keystore.toString('base64url');
  try {
    const params = { keyring, keystore_b64, replace };
    return await ask<Restored>({ ...globals, ...socket }, 'restore', params);
  } catch (failure) {
    if (failure instanceof AgentError && failure.kind === 'too_large') {
      const why = `${failure.message}: ${offlineInstead}`;
      throw new AgentError('too_large', why, { details: failure.details, cause: failure });
    }
    if (!(failure instanceof ConnectionError)) throw failure;
    // An agent hangs up on a line over its limit; what it says before may get lost with the connection.
    if (failure.reason === 'lost' && keystore_b64.length > usualLimit) {
      const why = `${failure.message}; the keystore is perhaps more than the agent takes: ${offlineInstead}`;
      throw new ConnectionError('lost', why, { cause: failure });
    }
    if (failure.reason !== 'unreachable') throw failure;
  }
  const settings = offlineSettings(options, terminal);
  return restoreOffline(keystore, {
    settings,
    keyring: keyring ?? 'default',
    replace,
    libc,
    terminal,
  });
}

function report(restored: Restored, globals: GlobalOptions, terminal: Terminal): void {
  const { keyring, file, previous_file, active_kid, previous_active_kid } = restored;
  const output = new Output(terminal);
  for (const kid of restored.unrevoked) {
    const warning = `key ${kid} was revoked after the backup was made, and is as valid again as it was then`;
    terminal.stderr.write(`agentctl: warning: ${escapeControls(warning)}\n`);
  }
  const { latest_time_ahead: ahead } = restored;
  if (ahead !== null) {
    const warning =
      `the clock of this machine is behind ${ahead}, which the keystore has seen: its keys go by that time, and ` +
      `graces may be over. Set the clock right; where it is right, take "latest_time" out of ${file} and of its second copy with the agent stopped`;
    terminal.stderr.write(`agentctl: warning: ${escapeControls(warning)}\n`);
  }
  if (globals.json) {
    output.json(restored);
    return;
  }
  const changed = previous_active_kid !== null && previous_active_kid !== active_kid;
  output.line(`restored keyring ${keyring}`);
  output.table([
    ['file', file],
    ['active', changed ? `${active_kid} (before: ${previous_active_kid})` : active_kid],
    ...kidsRow('back', restored.returning),
    ...kidsRow('gone', restored.leaving),
    ...(previous_file === null ? [] : [['before', `kept as ${previous_file}`]]),
  ]);
}

function kidsRow(name: string, kids: readonly string[]): readonly (readonly Cell[])[] {
  return kids.length === 0 ? [] : [[name, kidsInWords(kids)]];
}
