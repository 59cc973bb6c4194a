import type { KeyringState } from '../keyring/lifecycle.ts';

/** A state and the version it was loaded at; saving names the version it was made from. */
export interface Versioned {
  readonly state: KeyringState;
  readonly version: string;
}

/** Where the key records live: never the private keys themselves, except in the keystore file. */
export interface StateStore {
  /** For messages: where this state is (a path, a table). */
  readonly location: string;

  /**
   * The newest state, noticing changes that others made; null where nothing was ever saved.
   * Called for every operation, so it must not parse what has not changed. Throws `backend_unavailable`,
   * naming the place and the remedy, where what is there cannot be read or is not a state.
   */
  current(): Versioned | null;

  /** Durable when it resolves. `conflict` where `expected` (null: nothing yet) is no longer the newest. */
  save(state: KeyringState, expected: string | null): Promise<Versioned>;
}
