import { AgentError } from '../base/errors.ts';
import { compareTimes, formatTime, hasCome, parseTime, type Instant } from '../base/rfc3339.ts';
import type { KeyStatus } from '../api/signing-backend.ts';
import {
  heldKeys,
  type KeyRecord,
  type KeyringState,
  type PendingStep,
} from '../vault/key-records.ts';

/**
 * The rules over a keyring's key records, without a clock, a token or a file: every function takes a state
 * and `now` (milliseconds since the epoch) and answers with the next state. States are never changed in place.
 *
 *   prepare ──► prepared ──► active ──► grace ──► pruned
 *                   └── revoke ──┴── revoke ─┘
 */

/** The status of a key that has a record; null for any other kid. */
export function statusOf(state: KeyringState, kid: string, now: number): KeyStatus | null {
  if (!state.keys.has(kid)) return null;
  if (state.revoked.has(kid)) return 'revoked';
  if (state.active === kid) return 'active';
  if (state.prepared?.kid === kid) return 'prepared';
  const until = graceEnd(state, kid);
  return until !== null && !hasCome(until, now) ? 'grace' : 'retired';
}

/** The active key; there is one in every keyring that was opened. */
export function activeKey(state: KeyringState): KeyRecord {
  const key = state.active === null ? undefined : state.keys.get(state.active);
  if (key === undefined)
    throw new AgentError('backend_unavailable', 'the keyring has no active key');
  return key;
}

/** The key that signs for `kid` (the active one where undefined). Throws `unknown_kid` unless it is valid now. */
export function signingKey(state: KeyringState, kid: string | undefined, now: number): KeyRecord {
  if (kid === undefined || kid === state.active) return activeKey(state);
  const key = state.keys.get(kid);
  const status = statusOf(state, kid, now);
  if (key !== undefined && (status === 'active' || status === 'grace')) return key;
  throw unknownKid(kid, status);
}

/** Every key that is valid at `now`: active first, then by descending end of grace (ties by kid). */
export function validKeys(state: KeyringState, now: number): readonly KeyRecord[] {
  const graced = [...state.keys.values()]
    .filter((key) => statusOf(state, key.kid, now) === 'grace')
    .map((key) => ({ key, until: graceEnd(state, key.kid) ?? { ms: 0, nanos: 0 } }))
    .sort((a, b) => compareTimes(b.until, a.until) || (a.key.kid < b.key.kid ? -1 : 1))
    .map(({ key }) => key);
  return [activeKey(state), ...graced];
}

/** The first key of a keyring: in use since it was made, as far as anybody knows. */
export function begin(state: KeyringState, key: KeyRecord): KeyringState {
  const activated = { kid: key.kid, at: key.createdAt };
  return { ...withKey(state, key), active: key.kid, activated };
}

/** `key` gets a record and is valid nowhere: nothing is lost, and nothing becomes valid in silence. */
export function leaveOver(state: KeyringState, key: KeyRecord): KeyringState {
  return { ...withKey(state, key), graceUntil: without(state.graceUntil, [key.kid]) };
}

/** `key` is published, not used. `already_exists` while another one waits. */
export function prepare(
  state: KeyringState,
  key: KeyRecord,
  activatesAt: string | null,
): KeyringState {
  refuseSecondPrepared(state);
  return { ...withKey(state, key), prepared: { kid: key.kid, activatesAt } };
}

export function refuseSecondPrepared(state: KeyringState): void {
  if (state.prepared === null) return;
  throw new AgentError(
    'already_exists',
    `key ${state.prepared.kid} is prepared already: rotate activates it, revoke removes it`,
    { details: { kid: state.prepared.kid } },
  );
}

/**
 * `next` becomes active (a new key, or the prepared one), and the active key goes into grace for
 * `graceSeconds`. A grace of 0 ends at once.
 */
export function activate(
  state: KeyringState,
  next: KeyRecord,
  now: number,
  graceSeconds: number,
): { state: KeyringState; previousKid: string; previousGraceUntil: string } {
  const previousKid = activeKey(state).kid;
  const previousGraceUntil = formatTime(graceEndAt(now, graceSeconds));
  return {
    state: {
      ...makeActive(state, next, formatTime(now)),
      graceUntil: new Map(without(state.graceUntil, [next.kid])).set(
        previousKid,
        previousGraceUntil,
      ),
    },
    previousKid,
    previousGraceUntil,
  };
}

/** The last moment that RFC 3339 has a text for. */
const lastTime = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

function graceEndAt(now: number, graceSeconds: number): number {
  const end = now + graceSeconds * 1000;
  if (end <= lastTime) return end;
  throw new AgentError(
    'backend_unavailable',
    `a grace of ${graceSeconds} s would end after the year 9999: the keyring goes by ${formatTime(now)}, the latest ` +
      'time that was ever seen, so a clock was wrong once. Take that time back: agentctl reconcile --reset-clock, or ' +
      'for a file keyring remove latest_time from it and from its second copy with the agent stopped',
  );
}

/**
 * From this moment on `kid` is valid nowhere. `replacement` becomes active where the active key is revoked,
 * and is ignored otherwise. The record stays, so that the kid is never used again and the reason can be read.
 */
export function revoke(
  state: KeyringState,
  kid: string,
  at: string,
  reason: string | null,
  replacement: KeyRecord | null,
): KeyringState {
  const replaced =
    state.active === kid && replacement !== null ? makeActive(state, replacement, at) : state;
  if (replaced.active === kid) throw new Error('the active key is revoked only with a replacement');
  return {
    ...replaced,
    prepared: replaced.prepared?.kid === kid ? null : replaced.prepared,
    graceUntil: without(replaced.graceUntil, [kid]),
    revoked: new Map(replaced.revoked).set(kid, { at, reason }),
  };
}

/** Throws `unknown_kid` unless `kid` is a key that can still be revoked. */
export function refuseUnrevocable(state: KeyringState, kid: string, now: number): void {
  const status = statusOf(state, kid, now);
  // One that is valid no more too: as long as its private half is there, it is worth ending.
  if (status !== null && status !== 'revoked') return;
  throw unknownKid(kid, status);
}

/** The kids whose grace has ended, with or without a record; never the active or the prepared one. */
export function expiredGrace(state: KeyringState, now: number): readonly string[] {
  return [...state.graceUntil.keys()].filter((kid) => {
    const until = graceEnd(state, kid);
    const inUse = kid === state.active || kid === state.prepared?.kid;
    return !inUse && until !== null && hasCome(until, now);
  });
}

/** The kids of keys that are in no state: a start or a `reconcile` found them, and nobody acknowledged them. */
export function leftOverKeys(state: KeyringState): readonly string[] {
  return [...state.keys.keys()].filter(
    (kid) =>
      kid !== state.active &&
      kid !== state.prepared?.kid &&
      !state.graceUntil.has(kid) &&
      !state.revoked.has(kid),
  );
}

/** Removes records and grace of those kids. */
export function remove(state: KeyringState, kids: readonly string[]): KeyringState {
  return { ...state, keys: without(state.keys, kids), graceUntil: without(state.graceUntil, kids) };
}

/** Whether a key that is kept has this object id: such an object is never destroyed. */
export function isHeld(state: KeyringState, objectId: string): boolean {
  return heldKeys(state).some((key) => key.objectId === objectId);
}

/** Announces steps in the token; saved before they are made. */
export function announce(state: KeyringState, steps: readonly PendingStep[]): KeyringState {
  return { ...state, pending: [...state.pending, ...steps] };
}

/** The steps on those objects have ended. */
export function settle(state: KeyringState, objectIds: readonly string[]): KeyringState {
  const ended = new Set(objectIds);
  return { ...state, pending: state.pending.filter((step) => !ended.has(step.objectId)) };
}

function graceEnd(state: KeyringState, kid: string): Instant | null {
  const text = state.graceUntil.get(kid);
  return text === undefined ? null : parseTime(text);
}

function withKey(state: KeyringState, key: KeyRecord): KeyringState {
  return { ...state, keys: new Map(state.keys).set(key.kid, key) };
}

function makeActive(state: KeyringState, key: KeyRecord, at: string): KeyringState {
  const prepared = state.prepared?.kid === key.kid ? null : state.prepared;
  return { ...withKey(state, key), active: key.kid, prepared, activated: { kid: key.kid, at } };
}

function without<T>(map: ReadonlyMap<string, T>, kids: readonly string[]): ReadonlyMap<string, T> {
  const gone = new Set(kids);
  return new Map([...map].filter(([kid]) => !gone.has(kid)));
}

/** A key that is there, whatever its state. Throws `unknown_kid` for one that is not, or was revoked. */
export function keptKey(state: KeyringState, kid: string): KeyRecord {
  const key = state.keys.get(kid);
  if (key !== undefined && isHeld(state, key.objectId)) return key;
  throw unknownKid(kid, key === undefined ? null : 'revoked');
}

function unknownKid(kid: string, status: KeyStatus | null): AgentError {
  const why = {
    prepared: `key ${kid} is prepared and not in use yet: rotate activates it`,
    revoked: `key ${kid} is revoked`,
    retired: `key ${kid} is valid no more: its grace has ended, or it never had one`,
    unknown: `there is no key ${kid} in this keyring`,
  };
  const text =
    status === 'prepared' || status === 'revoked' || status === 'retired'
      ? why[status]
      : why.unknown;
  return new AgentError('unknown_kid', text, { details: { kid } });
}

/** Of a certain key that was to be added. */
export function takenKid({ revoked }: KeyringState, kid: string): AgentError {
  const why = revoked.has(kid)
    ? 'was revoked, and does not come back'
    : 'is in this keyring already';
  return new AgentError('already_exists', `key ${kid} ${why}`, { details: { kid } });
}
