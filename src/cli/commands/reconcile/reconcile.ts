import type { StatePart } from '../../../base/forget-command.ts';
import { isKid } from '../../../algorithms/kid.ts';
import { openLibc } from '../../../native/libc.ts';
import { withOfflineKeyring } from '../../../agent/offline-keyring.ts';
import { configuredHosts } from '../../../agent/configured-hosts.ts';
import { CommandError, exitCodes, UsageError } from '../../shell/failure.ts';
import { offlineSettings, type OfflineOptions } from '../../offline/offline-settings.ts';
import { offlineWorld } from '../../offline/offline-world.ts';
import { Output } from '../../shell/output.ts';
import { printReport, refusalOf, reportDocument } from './reconcile-report.ts';
import { isRefused } from './reconcile-seal.ts';
import { forget } from './forget.ts';
import { repair, type Wishes } from './reconcile-work.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface ReconcileOptions extends OfflineOptions {
  readonly active?: string;
  readonly acceptRecords?: true;
  readonly resetClock?: true;
  readonly forget?: StatePart;
  readonly apply?: true;
}

/**
 * `agentctl reconcile`: compares the sidecar of a token's keyring with the token, and rebuilds it. The one command
 * that opens the token itself: the agent does not start with a keyring that needs it.
 */
export async function reconcileKeyring(invocation: Invocation<ReconcileOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const { active = null } = options;
  if (active !== null && !isKid(active)) {
    throw new UsageError(`--active: not a key id (8 hex digits): ${active}`);
  }
  const settings = offlineSettings(options, terminal);
  const libc = openLibc();
  // As in the agent: this process is given the token's PIN, and modules write files of their own.
  libc.refuseCoreDumps();
  process.umask(0o077);
  const world = offlineWorld(terminal, libc);
  const wishes: Wishes = {
    keyring: globals.keyring ?? 'default',
    config: options.config ?? null,
    stateDir: options.stateDir ?? null,
    active,
    acceptRecords: options.acceptRecords === true,
    resetClock: options.resetClock === true,
    writes: options.apply === true,
  };
  if (options.forget !== undefined) {
    return forget(invocation, options.forget, { settings, world, libc });
  }
  const report = await withOfflineKeyring(
    {
      settings,
      keyring: wishes.keyring,
      writes: wishes.writes,
      world,
      libc,
      hosts: configuredHosts(settings, terminal.env, 1),
      credentialsDir: terminal.env['CREDENTIALS_DIRECTORY'] ?? null,
    },
    (parts) => repair(parts, wishes, world),
  );
  const output = new Output(terminal);
  if (globals.json) output.json(reportDocument(report));
  else printReport(report, wishes, output);
  const refusal = refusalOf(report, wishes);
  if (refusal !== null) throw new CommandError(refusal);
  const fits = report.applied || !(report.mustWrite || isRefused(report.seal));
  return fits ? exitCodes.done : exitCodes.failed;
}
