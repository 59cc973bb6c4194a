import { randomBytes } from 'node:crypto';
import { ConfigError } from '../config/load.ts';
import { readConfig } from '../config/read.ts';
import { resolveSettings, type Settings } from '../config/settings.ts';
import type { TokenKeyringParts } from '../configured-keyring.ts';
import { AgentError, describeFailure } from '../errors.ts';
import { isKid } from '../keyring/kid.ts';
import { proveKey } from '../keyring/prove-key.ts';
import { reconcile } from '../keyring/reconcile.ts';
import { openLog } from '../log.ts';
import { openLibc } from '../native/libc.ts';
import { withOfflineKeyring } from '../offline-keyring.ts';
import { durableFiles } from '../state/durable-files.ts';
import { effectiveUid } from '../state/ownership.ts';
import type { World } from '../world.ts';
import { CommandError, exitCodes, UsageError } from './failure.ts';
import { Output } from './output.ts';
import { printReport, refusalOf, reportDocument, type Report } from './reconcile-report.ts';
import type { Invocation, Terminal } from './terminal.ts';

export interface ReconcileOptions {
  readonly config?: string;
  readonly stateDir?: string;
  readonly active?: string;
  readonly apply?: true;
}

/**
 * `agentctl reconcile`: holds the sidecar of a token's keyring against the token, and rebuilds it. The one command
 * that opens the token itself: the agent does not start with a keyring that needs it.
 */
export async function reconcileKeyring(invocation: Invocation<ReconcileOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const { active = null } = options;
  if (active !== null && !isKid(active)) {
    throw new UsageError(`--active: not a key id (8 hex digits): ${active}`);
  }
  const settings = settingsOf(options, terminal);
  const libc = openLibc();
  // As in the agent: this process is given the token's PIN, and modules write files of their own.
  libc.refuseCoreDumps();
  process.umask(0o077);
  const world: World = {
    now: terminal.now,
    elapsed: () => performance.now(),
    randomBytes,
    files: durableFiles(libc),
    log: openLog('silent'),
    reached: () => undefined,
  };
  const keyring = globals.keyring ?? 'default';
  const writes = options.apply === true;
  const report = await withOfflineKeyring(
    {
      settings,
      keyring,
      writes,
      world,
      libc,
      credentialsDir: terminal.env['CREDENTIALS_DIRECTORY'] ?? null,
    },
    (parts) => repair(parts, { keyring, active, writes, world }),
  );
  const output = new Output(terminal);
  if (globals.json) output.json(reportDocument(report));
  else printReport(report, output);
  const refusal = refusalOf(report);
  if (refusal !== null) throw new CommandError(refusal);
  const fits = report.comparison.verdict.kind === 'fits' || report.applied;
  return fits ? exitCodes.done : exitCodes.failed;
}

function settingsOf({ config: file, stateDir }: ReconcileOptions, terminal: Terminal): Settings {
  const uid = effectiveUid();
  try {
    return resolveSettings(readConfig(file, uid), stateDir === undefined ? {} : { stateDir }, {
      env: terminal.env,
      uid,
      cwd: process.cwd(),
      file: file ?? 'configuration',
      processors: 1, // one signature is made
    });
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    throw new UsageError(failure.message, { cause: failure });
  }
}

/** Compares, proves the key that is to be active, and only then writes. */
async function repair(
  { vault, store }: TokenKeyringParts,
  choice: { keyring: string; active: string | null; writes: boolean; world: World },
): Promise<Report> {
  const { keyring, active, writes, world } = choice;
  const examined = store.examine();
  const now = world.now();
  const comparison = reconcile(examined.records, await vault.list(), { now, active });
  const { verdict } = comparison;
  const report: Report = {
    keyring,
    location: store.location,
    records: examined.records,
    comparison,
    unproved: null,
    applied: false,
    keptCopy: null,
  };
  if (verdict.kind !== 'fits' && verdict.kind !== 'repair') return report;
  if (verdict.active !== null) {
    try {
      await proveKey({ name: keyring, vault, world }, verdict.active);
    } catch (failure) {
      if (!(failure instanceof AgentError)) throw failure;
      return { ...report, unproved: describeFailure(failure) };
    }
  }
  if (verdict.kind === 'fits' || !writes) return report;
  const keptCopy = await store.replaceExamined(verdict.state, examined, now);
  return { ...report, applied: true, keptCopy };
}
