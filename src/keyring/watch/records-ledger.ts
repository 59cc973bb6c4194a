import { hash } from 'node:crypto';
import type { KeyringState } from '../../vault/key-records.ts';

/** What is known of a keyring's records from outside their store, so that records which are gone or older are missed. */
export interface RecordsLedger {
  /** null: as far as is known, this keyring never had a key. */
  readonly expected: ExpectedRecords | null;

  /** These are to be saved in the place of `before`. Durable when it resolves; only then they may be. */
  announce(records: NotedRecords, before: KeyringState | null): Promise<void>;

  /** These are saved, and what was there before counts no more. Noted in passing: `announce` has covered them. */
  settle(records: NotedRecords): void;
}

export interface NotedRecords {
  readonly state: KeyringState;
  /** Where they are. */
  readonly location: string;
  /** Nothing else would notice an older copy of them. */
  readonly byDigest: boolean;
}

export interface ExpectedRecords {
  /** Where they were. */
  readonly location: string;
  /** Of the keys whose private half was kept. */
  readonly kids: readonly string[];
  readonly active: string | null;
  /** `recordsDigest` of all that may be there; empty: that is not known, or something better knows it. */
  readonly digests: readonly string[];
}

/** SHA-256, lowercase hex, over all that the records say, however they are written down. */
export function recordsDigest(state: KeyringState): string {
  const { keys, active, prepared, graceUntil, revoked, pending, activated, latestTime } = state;
  const sorted = <T>(entries: ReadonlyMap<string, T>): readonly (readonly [string, T])[] =>
    [...entries].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const content = [
    sorted(keys).map(([kid, { publicKey, createdAt, objectId }]) => [
      kid,
      Buffer.from(publicKey).toString('hex'),
      createdAt,
      objectId,
    ]),
    active,
    prepared === null ? null : [prepared.kid, prepared.activatesAt],
    sorted(graceUntil),
    sorted(revoked).map(([kid, { at, reason }]) => [kid, at, reason]),
    pending.map(({ step, objectId, since }) => [step, objectId, since]),
    activated === null ? null : [activated.kid, activated.at],
    latestTime,
  ];
  return hash('sha256', JSON.stringify(content), 'hex');
}

/** Whether nothing is known that speaks against these records. */
export function isAsExpected(state: KeyringState, expected: ExpectedRecords | null): boolean {
  if (expected === null || expected.digests.length === 0) return true;
  return expected.digests.includes(recordsDigest(state));
}
