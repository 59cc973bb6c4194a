/**
 * What is recorded of a keyring's keys: the state that stores of key records keep. The rules over it are
 * `keyring/lifecycle.ts`.
 */

export interface KeyRecord {
  readonly kid: string;
  /** Raw bytes, see ValidKey.public_key_b64. */
  readonly publicKey: Uint8Array;
  /** RFC 3339, exactly as it was first written. */
  readonly createdAt: string;
  /** CKA_ID in lowercase hex; the kid where the backend has no objects of its own. */
  readonly objectId: string;
}

/** A step in the token that was announced and whose end is not known: finished or undone at the next start. */
export interface PendingStep {
  readonly step: 'generate' | 'destroy';
  readonly objectId: string;
  readonly since: string;
}

export interface KeyringState {
  /** By kid, in the order they were made; revoked ones stay, as records. */
  readonly keys: ReadonlyMap<string, KeyRecord>;
  /** null only before the first key. */
  readonly active: string | null;
  readonly prepared: { readonly kid: string; readonly activatesAt: string | null } | null;
  /** kid → RFC 3339. May name kids that have no record: other programs write this too. */
  readonly graceUntil: ReadonlyMap<string, string>;
  readonly revoked: ReadonlyMap<string, { readonly at: string; readonly reason: string | null }>;
  readonly pending: readonly PendingStep[];
  /** Since when the active key is; null where nobody wrote it down. Of another kid: another program's rotation. */
  readonly activated: { readonly kid: string; readonly at: string } | null;
  /** The latest time that was ever seen, RFC 3339: a clock that is set back brings nothing back. */
  readonly latestTime: string | null;
}

export const emptyState: KeyringState = {
  keys: new Map(),
  active: null,
  prepared: null,
  graceUntil: new Map(),
  revoked: new Map(),
  pending: [],
  activated: null,
  latestTime: null,
};

/** The keys whose private half is kept: every record that is not revoked. */
export function heldKeys(state: KeyringState): readonly KeyRecord[] {
  return [...state.keys.values()].filter((key) => !state.revoked.has(key.kid));
}
