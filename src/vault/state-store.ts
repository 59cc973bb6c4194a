import type { KeyringState } from './key-records.ts';
import type { RollbackProtection } from '../api/signing-backend.ts';
import type { SealStore } from './vault.ts';
import type { World } from '../base/world.ts';

/** A state and the version it was loaded at; saving names the version it was made from. */
export interface Versioned {
  readonly state: KeyringState;
  readonly version: string;
}

/** Where the key records live: never the private keys themselves, except in the keystore file. */
export interface StateStore {
  /** For messages: where this state is (a path, a table). */
  readonly location: string;

  /** What would notice an older copy that was put back, or one that was edited. Known once it is open. */
  readonly rollbackProtection: RollbackProtection;

  /**
   * Before anything else: looks at the seal of the records, where the vault keeps one. Throws
   * `backend_unavailable`, with what was found and the command that accepts it knowingly, where the records are
   * not the newest.
   */
  open(seals: SealStore | null, world: SealWorld): Promise<OpenedRecords>;

  /**
   * Once state and vault were found to belong together: makes a seal where there is none yet and the vault can
   * keep one. Before that, it would tie the records to a token that is not theirs.
   */
  seal(world: SealWorld): Promise<void>;

  /**
   * The newest state, noticing changes that others made; null where nothing was ever saved.
   * Called for every operation, so it must not parse what has not changed. Throws `backend_unavailable`,
   * naming the place and the remedy, where what is there cannot be read or is not a state.
   */
  current(): Versioned | null;

  /** Durable when it resolves. `conflict` where `expected` (null: nothing yet) is no longer the newest. */
  save(state: KeyringState, expected: string | null): Promise<Versioned>;
}

/** What the making of a seal takes of the world. */
export type SealWorld = Pick<World, 'randomBytes' | 'log'>;

export interface OpenedRecords {
  /** Whether a seal that was there before says that these records are the newest. */
  readonly provedNewest: boolean;
}
