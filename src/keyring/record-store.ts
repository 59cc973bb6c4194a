import type { AlgorithmName } from '../api/signing-backend.ts';
import type { Files } from '../base/files.ts';
import type { KeyringState } from '../vault/key-records.ts';
import type { SealWorld, StateStore } from '../vault/state-store.ts';
import type { Seal, SealStore } from '../vault/vault.ts';
import type { SealFault } from './seal/seal.ts';

/** What saved records were found to be. */
export type Records =
  | { readonly found: 'readable'; readonly state: KeyringState }
  | { readonly found: 'broken'; readonly reason: string }
  | { readonly found: 'missing' };

/**
 * A store of key records that is apart from the vault, so that the two may not fit, one may be lost without the other,
 * and both can be looked at and repaired while no agent runs.
 */
export interface RecordStore extends StateStore {
  /** What it is called, for people: completes "the " and "the previous ". */
  readonly noun: string;

  /** What is there, broken or not, without asking the device. Rejects where it may not be trusted, or not be read. */
  look(): Promise<LookedAt>;

  /** What is there, broken or not, and what the device's seal says of it. Rejects as `look`. */
  examine(seals: SealStore | null): Promise<ExaminedRecords>;
}

export interface LookedAt {
  readonly records: Records;
  /** What the seal of the records says, right or not; null where they have none. */
  readonly counter: number | null;
}

/** Records as they were found, for their repair. */
export interface ExaminedRecords {
  readonly records: Records;
  /** The device's seal; null where it has none. */
  readonly token: Seal | null;
  /** Why the records are not proved to be the newest; null too where nothing is there that could say. */
  readonly fault: SealFault | null;
  /** Set where these are of the second copy: what the records themselves were found to be, and the copy's path. */
  readonly instead: { readonly of: Records; readonly copy: string } | null;
  /** The counter of records whose MAC is right; any other number proves nothing. */
  readonly provedCounter: number | null;

  /**
   * Saves in the place of what was examined, once that is kept as a copy, sealed with a counter above the device's and
   * its own; answers where the copy is, null where there was nothing to keep. `conflict` where something else is there
   * by now.
   */
  replace(state: KeyringState, world: RepairWorld): Promise<string | null>;
}

export type RepairWorld = SealWorld & { readonly now: () => number };

/** Whose records they must be; another keyring's or another algorithm's are refused. */
export interface RecordsOwner {
  readonly keyring: string;
  readonly algorithm: AlgorithmName;
}

export interface StorePlace {
  /** Of the file in the state dir that is this keyring's. */
  readonly path: string;
  /** Of its second copy. */
  readonly copyPath: string;
  /** A device that keeps no seal is refused by `seal`, with `not_supported`. */
  readonly requireSeal: boolean;
}

/** Nothing is read yet. */
export type OpenStore = (place: StorePlace, owner: RecordsOwner, files: Files) => RecordStore;
