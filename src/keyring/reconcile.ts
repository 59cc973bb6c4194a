import { formatTime } from '../base/rfc3339.ts';
import { madeAt } from '../vault/object-id.ts';
import type { VaultObject } from '../vault/vault.ts';
import { kidOf } from '../algorithms/kid.ts';
import { activate, begin, remove, statusOf } from './lifecycle.ts';
import { emptyState, heldKeys, type KeyRecord, type KeyringState } from '../vault/key-records.ts';
import type { Records } from './record-store.ts';
import { isWhole, sideBySide, type Finding, type Pair } from './side-by-side.ts';
import type { KeyStatus } from '../api/signing-backend.ts';
import { usualGraceSeconds } from './usual-grace.ts';

type Presence = 'whole' | 'public_only' | 'private_only' | 'absent';

/** One line of the comparison: a record, an object of the token, or both. */
export interface Row {
  /** null where the object has no readable public half. */
  readonly kid: string | null;
  /** Where the key is in the token; of a record whose key is gone, where it was. */
  readonly objectId: string;
  /** What the records say; null where they say nothing. */
  readonly recordedAs: KeyStatus | null;
  readonly inToken: Presence;
  readonly finding: Finding;
  /** What the new records say; null where there is no record. */
  readonly becomes: KeyStatus | null;
}

export type Verdict =
  /** Nothing to write. No active key: there is nothing on either side, and the agent begins. */
  | { readonly kind: 'fits'; readonly active: KeyRecord | null }
  /** `state` is to be written once `active` has proved itself. */
  | { readonly kind: 'repair'; readonly state: KeyringState; readonly active: KeyRecord }
  /** Somebody has to say which key is the active one. */
  | {
      readonly kind: 'choose';
      readonly reason: string;
      readonly candidates: readonly KeyRecord[];
    }
  /** The token has no whole key that could become active. */
  | { readonly kind: 'no_key' };

export interface Comparison {
  readonly rows: readonly Row[];
  readonly verdict: Verdict;
}

export interface Choice {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The kid that is to be active; null: nobody said. */
  readonly active: string | null;
  /** The key that was active when the records were saved last, as far as that is known from elsewhere. */
  readonly lastActive: string | null;
  /** What the store is called, see RecordStore. */
  readonly noun: string;
}

/** How far clocks may have been apart when an id was made, milliseconds. */
const clockSlack = 86_400_000;

/**
 * Compares the saved records with the objects of the token, and says what the records have to be. Nothing
 * becomes valid in silence: a key that no record names is recorded as left over (valid no more, so that what was
 * pruned or revoked does not come back) unless it is named as the active one. Only where the records are lost,
 * and it is known which key was active or there is but one, that becomes active unasked. Nothing in the token is changed
 * by any of this.
 */
export function reconcile(
  records: Records,
  objects: readonly VaultObject[],
  choice: Choice,
): Comparison {
  const { now } = choice;
  const saved = records.found === 'readable' ? records.state : emptyState;
  const pairs = sideBySide(saved, objects);
  const kept = withLeftOvers(withKeysOfToken(saved, pairs), pairs, now);
  const decided = decide(records, kept, objects, choice);
  const after = decided.kind === 'repair' ? decided.state : kept;
  const unchanged = after === saved && records.found === 'readable';
  return {
    rows: pairs.map((pair) => rowOf(pair, saved, after, now)),
    verdict:
      decided.kind === 'repair' && unchanged ? { kind: 'fits', active: decided.active } : decided,
  };
}

/** Without the records whose keys are gone, and with the object ids that the token has. */
function withKeysOfToken(saved: KeyringState, pairs: readonly Pair[]): KeyringState {
  const gone = new Set<string>();
  const moved = new Map<string, string>();
  for (const { record, object, finding } of pairs) {
    if (record !== null && finding === 'gone') gone.add(record.kid);
    if (record !== null && object !== null && finding === 'moved') {
      moved.set(record.kid, object.objectId);
    }
  }
  if (gone.size + moved.size === 0) return saved;
  const left = remove(saved, [...gone]);
  return {
    ...left,
    keys: new Map(
      [...left.keys].map(([kid, key]) => [
        kid,
        { ...key, objectId: moved.get(kid) ?? key.objectId },
      ]),
    ),
    active: saved.active !== null && gone.has(saved.active) ? null : saved.active,
    prepared: saved.prepared !== null && gone.has(saved.prepared.kid) ? null : saved.prepared,
  };
}

function withLeftOvers(state: KeyringState, pairs: readonly Pair[], now: number): KeyringState {
  const added = pairs.flatMap(({ object, finding }): KeyRecord[] =>
    finding === 'unrecorded' && object !== null && isWhole(object)
      ? [{ ...keyOf(object), createdAt: formatTime(timeOf(object.objectId, now) ?? now) }]
      : [],
  );
  if (added.length === 0) return state;
  const kids = added.map(({ kid }) => kid);
  // A grace without a record may be waiting for just this key: it must not make it valid again.
  const { keys, ...rest } = remove(state, kids);
  return { ...rest, keys: new Map([...keys, ...added.map((key) => [key.kid, key] as const)]) };
}

function decide(
  records: Records,
  state: KeyringState,
  objects: readonly VaultObject[],
  { now, active, lastActive, noun }: Choice,
): Verdict {
  const candidates = heldKeys(state);
  const current = candidates.find(({ kid }) => kid === state.active) ?? null;
  if (active !== null) {
    const named = candidates.find(({ kid }) => kid === active);
    if (named !== undefined) return repaired(state, named, current, now);
    const reason = state.revoked.has(active)
      ? `key ${active} is revoked, and a revoked key does not come back`
      : `the token has no whole key ${active} that a record could name`;
    return candidates.length === 0 ? { kind: 'no_key' } : { kind: 'choose', reason, candidates };
  }
  if (current !== null) return repaired(state, current, current, now);
  if (candidates.length === 0) {
    const nothingYet = records.found !== 'broken' && isUntouched(records, objects);
    return nothingYet ? { kind: 'fits', active: null } : { kind: 'no_key' };
  }
  if (records.found === 'readable') {
    const reason =
      records.state.active === null
        ? `the ${noun} names no active key`
        : `the active key, ${records.state.active}, is not in the token`;
    return { kind: 'choose', reason, candidates };
  }
  const known = candidates.find(({ kid }) => kid === lastActive) ?? onlyOf(candidates);
  if (known !== null) return repaired(state, known, null, now);
  const reason =
    `with the ${noun} it is lost which key was the active one: the newest may be one that was prepared, or made and ` +
    'revoked';
  return { kind: 'choose', reason, candidates };
}

/** Nothing is recorded, and the token has nothing of this keyring but what was announced. */
function isUntouched(
  records: Exclude<Records, { found: 'broken' }>,
  objects: readonly VaultObject[],
): boolean {
  if (records.found === 'missing') return objects.length === 0;
  const { keys, active, pending } = records.state;
  const announced = (object: VaultObject): boolean =>
    pending.some(({ objectId }) => objectId === object.objectId);
  return keys.size === 0 && active === null && objects.every(announced);
}

function repaired(
  state: KeyringState,
  key: KeyRecord,
  current: KeyRecord | null,
  now: number,
): Verdict {
  if (current?.kid === key.kid) return { kind: 'repair', state, active: key };
  if (current !== null) {
    return {
      kind: 'repair',
      state: activate(state, key, now, usualGraceSeconds).state,
      active: key,
    };
  }
  const prepared = state.prepared?.kid === key.kid ? null : state.prepared;
  const { keys } = state; // `remove` takes record and grace; the record stays, in its place
  const ungraced = { ...remove(state, [key.kid]), keys };
  return { kind: 'repair', state: { ...begin(ungraced, key), prepared }, active: key };
}

function onlyOf(keys: readonly KeyRecord[]): KeyRecord | null {
  return keys.length === 1 ? (keys[0] ?? null) : null;
}

/** When the object was made, by its id; null where the id says none, or one that has not come. */
function timeOf(objectId: string, now: number): number | null {
  const time = madeAt(objectId);
  return time === null || time > now + clockSlack ? null : time;
}

function keyOf(
  object: VaultObject & { readonly publicKey: Uint8Array },
): Omit<KeyRecord, 'createdAt'> {
  const { objectId, publicKey } = object;
  return { kid: kidOf(publicKey), publicKey, objectId };
}

function rowOf(
  { record, object, finding }: Pair,
  before: KeyringState,
  after: KeyringState,
  now: number,
): Row {
  const publicKey = record?.publicKey ?? object?.publicKey ?? null;
  const kid = publicKey === null ? null : kidOf(publicKey);
  const recorded = record !== null || finding === 'unrecorded';
  return {
    kid,
    objectId: object?.objectId ?? record?.objectId ?? '',
    recordedAs: record === null ? null : statusOf(before, record.kid, now),
    inToken: presenceOf(object),
    finding,
    becomes: kid === null || !recorded || finding === 'gone' ? null : statusOf(after, kid, now),
  };
}

function presenceOf(object: VaultObject | null): Presence {
  if (object === null) return 'absent';
  if (isWhole(object)) return 'whole';
  return object.hasPrivateKey ? 'private_only' : 'public_only';
}
