import { compareTimes, formatTime, hasCome, parseTime } from '../../base/rfc3339.ts';
import { heldKeys, type KeyRecord, type KeyringState } from '../key-records.ts';

/**
 * What this agent knows of a keystore from before, because it read it or wrote it. Programs that know version 1 alone
 * drop the members that they do not know, and take no lock: what they write from an older reading undoes what was
 * saved in between.
 */
export interface KnownRecords {
  readonly state: KeyringState;
  /** Keys that were pruned, by whomever: kid → RFC 3339. None of them is valid ever again. */
  readonly pruned: ReadonlyMap<string, string>;
}

export interface MergedRecords {
  readonly state: KeyringState;
  readonly pruned: KnownRecords['pruned'];
  /** What another program's write had undone, a clause each; empty: it had undone nothing. */
  readonly restored: readonly string[];
}

interface Merge {
  readonly read: KeyringState;
  readonly known: KnownRecords;
  readonly now: number;
  readonly restored: string[];
}

/**
 * The records that count when `read` is what the file says. Keys are only ever added and retired by other programs:
 * what is revoked stays so, what was pruned does not come back, no key is lost, and a new key of theirs becomes
 * active. `now`: milliseconds since the epoch. `graceSeconds`: how long a key stays valid that was active and was
 * replaced unseen.
 */
export function mergeRecords(
  read: KeyringState,
  known: KnownRecords,
  now: number,
  graceSeconds: number,
): MergedRecords {
  const merge: Merge = { read, known, now, restored: [] };
  const pruned = prunedSince(merge);
  const revoked = mergedRevocations(merge);
  const lost = lostKeys(merge, pruned);
  const keys = new Map([
    ...[...read.keys].map(([kid, key]) => [kid, known.state.keys.get(kid) ?? key] as const),
    ...lost.map((key) => [key.kid, key] as const),
    ...[...revoked.keys()].flatMap((kid) => {
      const key = read.keys.get(kid) ?? known.state.keys.get(kid);
      return key === undefined ? [] : [[kid, key] as const];
    }),
  ]);
  const active = activeOf(merge, revoked, pruned, keys);
  const prepared = preparedOf(merge, { keys, active, revoked, pruned });
  const graceUntil = gracesOf(merge, { keys, active, prepared, revoked, pruned, graceSeconds });
  return {
    state: {
      keys,
      active,
      prepared,
      graceUntil,
      revoked,
      pending: [],
      activated: activatedOf(merge, active),
      latestTime: laterOf(read.latestTime, known.state.latestTime),
    },
    pruned,
    restored: merge.restored,
  };
}

/** With the keys that are gone by now because their grace had ended. */
function prunedSince({ read, known, now }: Merge): ReadonlyMap<string, string> {
  const ended = heldKeys(known.state).flatMap(({ kid }) => {
    const until = known.state.graceUntil.get(kid);
    const isGone = !read.keys.has(kid) && kid !== known.state.active;
    return isGone && until !== undefined && isOver(until, now) ? [[kid, until] as const] : [];
  });
  return ended.length === 0 ? known.pruned : new Map([...known.pruned, ...ended]);
}

function mergedRevocations({ read, known, restored }: Merge): KeyringState['revoked'] {
  const dropped = [...known.state.revoked].filter(([kid]) => !read.revoked.has(kid));
  if (dropped.length === 0) return read.revoked;
  for (const [kid] of dropped) restored.push(`key ${kid} is revoked, and stays so`);
  return new Map([...read.revoked, ...dropped]);
}

/** Keys that were there, may still be needed, and are not in the file: somebody wrote over them. */
function lostKeys(
  { read, known: { state }, restored }: Merge,
  pruned: KnownRecords['pruned'],
): readonly KeyRecord[] {
  const lost = heldKeys(state).filter(
    ({ kid }) =>
      !read.keys.has(kid) &&
      !read.revoked.has(kid) &&
      !pruned.has(kid) &&
      (kid === state.active || kid === state.prepared?.kid || state.graceUntil.has(kid)),
  );
  for (const { kid } of lost) restored.push(`key ${kid} was written over, and is back`);
  return lost;
}

/**
 * The key that the file names, unless it comes from an older reading: this agent had replaced that key, and whoever
 * wrote the file does not know it. A key that is new here was made active by the program that made it.
 */
function activeOf(
  { read, known, restored }: Merge,
  revoked: KeyringState['revoked'],
  pruned: KnownRecords['pruned'],
  keys: KeyringState['keys'],
): string | null {
  const { active: ours, activated, prepared } = known.state;
  if (read.active === ours || read.active === null || ours === null) return read.active;
  if (!keys.has(ours) || revoked.has(ours)) return read.active;
  const isNew = !known.state.keys.has(read.active) || prepared?.kid === read.active;
  const isUnaware = activated?.kid === ours && read.activated?.kid !== ours;
  const mayBe = !revoked.has(read.active) && !pruned.has(read.active);
  if (mayBe && (isNew || !isUnaware)) return read.active;
  restored.push(`key ${ours} had replaced key ${read.active}, and is the active one again`);
  return ours;
}

type Decided = Pick<KeyringState, 'keys' | 'active' | 'revoked'> & {
  readonly pruned: KnownRecords['pruned'];
};

function preparedOf(
  { read, known, restored }: Merge,
  { keys, active, revoked, pruned }: Decided,
): KeyringState['prepared'] {
  const mayBe = (kid: string): boolean =>
    keys.has(kid) && kid !== active && !revoked.has(kid) && !pruned.has(kid);
  if (read.prepared !== null && mayBe(read.prepared.kid)) return read.prepared;
  const { prepared } = known.state;
  if (prepared === null || !mayBe(prepared.kid) || read.graceUntil.has(prepared.kid)) return null;
  restored.push(`key ${prepared.kid} is prepared, and stays so`);
  return prepared;
}

function gracesOf(
  { read, known, now }: Merge,
  decided: Decided & {
    readonly prepared: KeyringState['prepared'];
    readonly graceSeconds: number;
  },
): KeyringState['graceUntil'] {
  const { keys, active, prepared, revoked, pruned, graceSeconds } = decided;
  const graces = new Map<string, string>();
  const kids = new Set([
    ...read.graceUntil.keys(),
    ...known.state.graceUntil.keys(),
    ...keys.keys(),
  ]);
  for (const kid of kids) {
    const isHeld = kid !== active && kid !== prepared?.kid && !revoked.has(kid);
    if (!isHeld || pruned.has(kid)) continue;
    // A key that the file has without a grace is valid no more: whoever wrote it meant that. But a key that it has
    // not, or still calls the active one, it knows nothing of.
    const isUnaware = !read.keys.has(kid) || kid === read.active;
    const ours = known.state.graceUntil.get(kid);
    const until = graceOf(read.graceUntil.get(kid), ours, isUnaware, now);
    if (until !== null) graces.set(kid, until);
    else if (kid === known.state.active && isUnaware) {
      graces.set(kid, formatTime(now + graceSeconds * 1000));
    }
  }
  return graces;
}

/** What they say, where they can know; but a grace that has ended stays ended. */
function graceOf(
  theirs: string | undefined,
  ours: string | undefined,
  isUnaware: boolean,
  now: number,
): string | null {
  if (ours !== undefined && theirs !== undefined && isOver(ours, now)) return ours;
  return theirs ?? (isUnaware ? (ours ?? null) : null);
}

function activatedOf({ read, known }: Merge, active: string | null): KeyringState['activated'] {
  if (read.activated?.kid === active) return read.activated;
  return known.state.activated?.kid === active ? known.state.activated : read.activated;
}

function laterOf(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  const [a, b] = [parseTime(one), parseTime(other)];
  if (a === null || b === null) return a === null ? other : one;
  return compareTimes(a, b) >= 0 ? one : other;
}

function isOver(until: string, now: number): boolean {
  const instant = parseTime(until);
  return instant !== null && hasCome(instant, now);
}
