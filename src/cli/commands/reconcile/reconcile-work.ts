import type { OfflineKeyring } from '../../../agent/offline-keyring.ts';
import { AgentError, describeFailure } from '../../../base/errors.ts';
import type { KeyringState } from '../../../vault/key-records.ts';
import { proveKey } from '../../../keyring/prove-key.ts';
import type { ExaminedRecords, Records } from '../../../keyring/record-store.ts';
import { isAsExpected, type RecordsLedger } from '../../../keyring/watch/records-ledger.ts';
import type { SealFault } from '../../../keyring/seal/seal.ts';
import { reconcile } from '../../../keyring/reconcile.ts';
import { isWhole } from '../../../keyring/side-by-side.ts';
import type { VaultObject } from '../../../vault/vault.ts';
import { formatTime, parseTime } from '../../../base/rfc3339.ts';
import type { World } from '../../../base/world.ts';
import type { GivenFlags } from './reconcile-command.ts';
import type { Report } from './reconcile-report.ts';
import { sealOf } from './reconcile-seal.ts';

/** What the command line asks for. */
export interface Wishes extends GivenFlags {
  /** The kid that is to be active; null: nobody said. */
  readonly active: string | null;
  /** Records that are not proved to be the newest are accepted knowingly. */
  readonly acceptRecords: boolean;
  readonly writes: boolean;
}

/** Compares, proves the key that is to be active, and only then writes. */
export async function repair(
  { vault, store, ledger }: OfflineKeyring,
  wishes: Wishes,
  world: World,
): Promise<Report> {
  const { keyring, active, acceptRecords, resetClock, writes } = wishes;
  const examined = await store.examine(vault.sealStore);
  const objects = await vault.list();
  const fault = examined.fault ?? faultOfLedger(examined, ledger);
  const accepted = fault !== null && acceptRecords;
  const dropsClock =
    resetClock &&
    examined.records.found === 'readable' &&
    examined.records.state.latestTime !== null;
  const records = changed(examined.records, (state) => {
    const known = accepted ? withoutUnsure(state, objects) : state;
    return dropsClock ? withoutFuture(known, world.now()) : known;
  });
  const comparison = reconcile(records, objects, {
    now: world.now(),
    active,
    lastActive: ledger.expected?.active ?? null,
    noun: store.noun,
  });
  const { verdict } = comparison;
  const report: Report = {
    keyring,
    noun: store.noun,
    location: store.location,
    records,
    comparison,
    instead: examined.instead,
    seal: sealOf({ ...examined, fault }, accepted),
    clockReset: dropsClock ? latestTimeOf(examined.records) : null,
    mustWrite: verdict.kind === 'repair' || accepted || dropsClock || examined.instead !== null,
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
  const state = stateToWrite(verdict, records);
  if (!report.mustWrite || state === null || !writes || (fault !== null && !accepted))
    return report;
  const noted = { state, location: store.location, byDigest: true };
  const { records: there } = examined;
  await ledger.announce(noted, there.found === 'readable' ? there.state : null);
  const keptCopy = await examined.replace(state, world);
  ledger.settle({ ...noted, byDigest: store.rollbackProtection === 'none' });
  return { ...report, applied: true, keptCopy };
}

/** What is known from elsewhere counts where no seal proves the records. */
function faultOfLedger(
  { records, provedCounter }: ExaminedRecords,
  { expected }: RecordsLedger,
): SealFault | null {
  if (records.found !== 'readable' || provedCounter !== null) return null;
  if (isAsExpected(records.state, expected)) return null;
  return { fault: 'not_last', counter: null, tokenCounter: null };
}

/** An activation that has not come yet would put off the next rotation by as much as the clock ran ahead. */
function withoutFuture(state: KeyringState, now: number): KeyringState {
  const { activated } = state;
  const ahead = activated !== null && (parseTime(activated.at)?.ms ?? 0) > now;
  return {
    ...state,
    latestTime: null,
    activated: ahead ? { ...activated, at: formatTime(now) } : activated,
  };
}

/** Records that fit the token are written too where they were accepted, or lost their clock. */
function stateToWrite(
  verdict: Report['comparison']['verdict'],
  records: Records,
): KeyringState | null {
  if (verdict.kind === 'repair') return verdict.state;
  return records.found === 'readable' ? records.state : null;
}

/**
 * An older copy may announce the making of a key that was acknowledged since. The next start, which takes
 * sealed records for the newest, would destroy it: so it is one that no record names, and becomes left over.
 */
function withoutUnsure(state: KeyringState, objects: readonly VaultObject[]): KeyringState {
  const whole = new Set(objects.filter(isWhole).map(({ objectId }) => objectId));
  return {
    ...state,
    pending: state.pending.filter((step) => step.step === 'destroy' || !whole.has(step.objectId)),
  };
}

function changed(records: Records, change: (state: KeyringState) => KeyringState): Records {
  return records.found === 'readable' ? { ...records, state: change(records.state) } : records;
}

function latestTimeOf(records: Records): string | null {
  return records.found === 'readable' ? records.state.latestTime : null;
}
