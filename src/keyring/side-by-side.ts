import { madeAt } from '../vault/object-id.ts';
import type { VaultObject } from '../vault/vault.ts';
import { faultOf } from './key-fault.ts';
import { kidOf } from '../algorithms/kid.ts';
import type { KeyRecord, KeyringState } from '../vault/key-records.ts';

/** What a record, an object in the token, or the two together are found to be. */
export type Finding =
  /** Record and key belong together. */
  | 'fits'
  /** The key stands in the token under another object id than its record's. */
  | 'moved'
  /** The record's key is not in the token any more, or its private half is not. */
  | 'gone'
  /** A revoked record needs no object; one that is there is left alone. */
  | 'revoked'
  /** A whole key that no record names. */
  | 'unrecorded'
  /** The agent wrote down that it was making or removing this object: its next start ends that. */
  | 'announced'
  /** One half of a key, or nothing that the keyring's algorithm takes, in no record. */
  | 'half_made'
  /** The same key once more, under another object id. */
  | 'duplicate'
  /** It has no object id that a record could name, or shares its id or its kid with another record. */
  | 'unusable';

/** A record, an object, or both. */
export interface Pair {
  readonly record: KeyRecord | null;
  readonly object: VaultObject | null;
  readonly finding: Finding;
}

/** A whole key: both halves, the public one readable. */
type WholeObject = VaultObject & { readonly publicKey: Uint8Array };

/** What no two records may share. */
type Name = Pick<KeyRecord, 'kid' | 'publicKey' | 'objectId'>;

/** Every record in its order, then every object that no record names, the oldest first. */
export function sideBySide(state: KeyringState, objects: readonly VaultObject[]): readonly Pair[] {
  const records = [...state.keys.values()].map((record) => pairOf(record, state, objects));
  const paired = new Set(records.map(({ object }) => object));
  const taken = records.flatMap(({ record, object, finding }): Name[] => {
    if (record === null || finding === 'gone') return [];
    const { objectId } = finding === 'moved' && object !== null ? object : record;
    return [{ ...record, objectId }];
  });
  const others: Pair[] = [];
  for (const object of objects.filter((one) => !paired.has(one)).toSorted(byAge)) {
    const finding = strangerFinding(object, state, taken);
    if (finding === 'unrecorded' && isWhole(object)) {
      taken.push({ ...object, kid: kidOf(object.publicKey) });
    }
    others.push({ record: null, object, finding });
  }
  return [...records, ...others];
}

export function isWhole(object: VaultObject): object is WholeObject {
  return object.hasPrivateKey && object.publicKey !== null;
}

function pairOf(record: KeyRecord, state: KeyringState, objects: readonly VaultObject[]): Pair {
  const named = objects.find(({ objectId }) => objectId === record.objectId);
  const own = named !== undefined && mayBe(record, named) ? named : null;
  if (state.revoked.has(record.kid)) return { record, object: own, finding: 'revoked' };
  if (faultOf(record, named) === null) return { record, object: own, finding: 'fits' };
  const elsewhere = objects.find(
    (object) =>
      isWhole(object) &&
      isSame(object.publicKey, record.publicKey) &&
      isNameable(object) &&
      !isRevokedId(state, object.objectId),
  );
  if (elsewhere !== undefined) return { record, object: elsewhere, finding: 'moved' };
  return { record, object: own, finding: 'gone' };
}

function strangerFinding(
  object: VaultObject,
  state: KeyringState,
  taken: readonly Name[],
): Finding {
  if (state.pending.some(({ objectId }) => objectId === object.objectId)) return 'announced';
  if (!isWhole(object)) return 'half_made';
  const kid = kidOf(object.publicKey);
  const namesake = taken.find((record) => record.kid === kid);
  // Before `duplicate`: a copy of a revoked key must not come back under another object id.
  if (state.revoked.has(kid)) return 'revoked';
  if (namesake !== undefined) {
    return isSame(namesake.publicKey, object.publicKey) ? 'duplicate' : 'unusable';
  }
  const shared = taken.some(({ objectId }) => objectId === object.objectId);
  return shared || !isNameable(object) ? 'unusable' : 'unrecorded';
}

/** Whether the object may be the record's: one without a readable public half does not say. */
function mayBe(record: KeyRecord, object: VaultObject): boolean {
  return object.publicKey === null || isSame(object.publicKey, record.publicKey);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Other programs may make objects without a CKA_ID. */
function isNameable({ objectId }: VaultObject): boolean {
  return objectId !== '';
}

function isRevokedId(state: KeyringState, objectId: string): boolean {
  return [...state.keys.values()].some(
    (record) => record.objectId === objectId && state.revoked.has(record.kid),
  );
}

/** Ids that say no time come first: nothing is known of them. */
function byAge(a: VaultObject, b: VaultObject): number {
  const difference = (madeAt(a.objectId) ?? 0) - (madeAt(b.objectId) ?? 0);
  return difference === 0 ? (a.objectId < b.objectId ? -1 : 1) : difference;
}
