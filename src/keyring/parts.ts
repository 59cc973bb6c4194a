import type { JoseAlg } from '../algorithms/algorithm-names.ts';
import type { Vault } from '../vault/vault.ts';
import type { World } from '../base/world.ts';
import type { ChangeJournal } from './change-journal.ts';
import type { RotationPolicy } from './rotation-schedule.ts';
import type { StateStore } from '../vault/state-store.ts';

/** What a keyring is made of. */
export interface KeyringParts {
  readonly name: string;
  readonly vault: Vault;
  readonly store: StateStore;
  readonly world: World;
  /** null: rotated by hand. */
  readonly rotation: RotationPolicy | null;
  /** See Keyring; absent: the usual one of its algorithm. */
  readonly joseAlg?: JoseAlg | undefined;
  /** Absent: what the keyring changes by itself is not recorded. */
  readonly journal?: ChangeJournal | undefined;
  /** Called when keys were prepared, activated, revoked or removed, before whoever wanted it is answered. Never rejects. */
  readonly changed?: (() => Promise<void>) | undefined;
}
