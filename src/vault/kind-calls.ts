import type { AlgorithmName, Protection } from '../api/signing-backend.ts';
import type { World } from '../base/world.ts';
import type { VaultHosts } from './hosted.ts';
import type { PinGate } from './pin-gate.ts';
import type { StateStore } from './state-store.ts';
import type { Vault } from './vault.ts';

/** What the entries of the table of kinds are called with, and what they answer. */

export interface TableWhere {
  /** Of the keyring. */
  readonly name: string;
  readonly stateDir: string;
  /** Of this machine. */
  readonly processors: number;
}

/** What is wrong with one key of a table, for people; the name of the table is not in it. */
export class TableFault extends Error {
  override readonly name = 'TableFault';
  readonly key: string;

  constructor(key: string, message: string) {
    super(message);
    this.key = key;
  }
}

export type Named<T> = T & {
  /** Of the keyring, or the name that is kept for the CA. */
  readonly name: string;
};

export type RecordsPlace = {
  /** Of the second copy of them, which this agent alone writes. */
  readonly copyPath: string;
} & (
  | {
      readonly kept: 'apart';
      /** Of the file in the state dir that is this keyring's: the sidecar, or what another store calls it. */
      readonly path: string;
      readonly algorithm: AlgorithmName;
      /** A device that keeps no seal of the records is refused. */
      readonly requireSeal: boolean;
    }
  /** The vault is the store too. `because` completes "keyring NAME ", said to who would reconcile them. */
  | { readonly kept: 'with_keys'; readonly because: string }
);

export interface OpenedVault {
  readonly vault: Vault;
  /** null where the records are kept apart. */
  readonly store: StateStore | null;
}

export interface OpenWith {
  readonly world: World;
  readonly hosts: VaultHosts;
  /** null where `pin` says so. */
  readonly pins: PinGate | null;
  /** Throws where this protection is less than the configuration requires. */
  readonly refuseProtection: (protection: Protection) => void;
  /** Keys that the keyring had when that was written down last; absent: nothing is known. */
  readonly knownKids?: readonly string[] | undefined;
}

export interface HostNeeds {
  /** Threads that its sessions must have to themselves; 0: none. */
  readonly ownThreads: number;
  /** Names of variables that it needs beside the usual ones. */
  readonly environment: readonly string[];
  /** The library that it loads, by its real path, and what that is started with; null where it loads none. */
  readonly library: { readonly path: string; readonly parameters: string | null } | null;
}

export type BackupWorld = Pick<World, 'files' | 'now' | 'randomBytes'>;

export interface ExamineWith {
  readonly world: Pick<World, 'now' | 'randomBytes' | 'files'>;
  readonly env: Readonly<Record<string, string | undefined>>;
}
