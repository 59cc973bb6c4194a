import type { Scope } from '../api/principal.ts';
import type { Purposes } from './purposes.ts';

/** An API key as it is kept (docs/formats.md, "The API keys file"). The secret itself is not. */
export interface ApiKey {
  readonly id: string;
  /** SHA-256 of the secret, 32 bytes. */
  readonly hash: Uint8Array;
  readonly scope: Exclude<Scope, 'none'>;
  /** RFC 3339, as it was written. */
  readonly createdAt: string;
  /** RFC 3339, as it was written; null: never. */
  readonly expiresAt: string | null;
  /** Null: no restriction. An empty list allows nobody. */
  readonly allowedUsers: readonly string[] | null;
  /** Fingerprints, 64 lowercase hex digits each. */
  readonly allowedMachines: readonly string[] | null;
  readonly allowedKeyrings: readonly string[] | null;
  readonly allowedPurposes: Purposes;
  readonly maxSignaturesPerSecond: number | null;
  readonly maxConnections: number | null;
  readonly note: string | null;
}

/** With what it takes to check it: its names were resolved when it was loaded. */
export interface LoadedApiKey extends ApiKey {
  /** Milliseconds since the epoch. */
  readonly expires: number | null;
  /** Null: no restriction. */
  readonly users: ReadonlySet<number> | null;
}

/** The API keys of one moment; replaced as a whole. */
export interface LoadedApiKeys {
  readonly keys: ReadonlyMap<string, LoadedApiKey>;
  /** Entries that nobody can use, by id, with the reason and the remedy. */
  readonly refused: ReadonlyMap<string, string>;
  /** Names in `allowed_users` that could not be resolved and so allow nobody, and refused entries: a sentence each. */
  readonly warnings: readonly string[];
}

export const noApiKeys: LoadedApiKeys = { keys: new Map(), refused: new Map(), warnings: [] };
