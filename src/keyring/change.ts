import type { KeyRecord, KeyringState } from '../vault/key-records.ts';
import type { VaultKey } from '../vault/vault.ts';

/** One change of the key records. Both functions may be called again on a newer state. */
export interface Change<T> {
  /** Whether it takes a new key. Throws where the change is refused, before anything is made. */
  readonly needsKey: (state: KeyringState) => boolean;
  /** The key that it takes, where that is a certain one; absent: the vault makes one. Called once at most. */
  readonly make?: (objectId: string | null) => Promise<VaultKey>;
  /** A key that is there already and is to become active: it proves itself first. */
  readonly activates?: (state: KeyringState) => KeyRecord | null;
  /** The next state (the same one where there is nothing to do) and what the caller is told. */
  readonly apply: (
    state: KeyringState,
    newKey: KeyRecord | null,
  ) => { state: KeyringState; result: T };
}
