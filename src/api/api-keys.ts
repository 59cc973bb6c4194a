import type { Scope } from './principal.ts';

/** Scopes that a key can have. */
export type ApiKeyScope = Exclude<Scope, 'none'>;

/** What is shown of an API key: never the secret, never its hash. Times are RFC 3339, as they are in the file. */
export interface ApiKeyView {
  readonly id: string;
  readonly scope: ApiKeyScope;
  readonly created_at: string;
  /** null: never. */
  readonly expires_at: string | null;
  /** null, here and below: no such restriction. */
  readonly allowed_users: readonly string[] | null;
  readonly allowed_machines: readonly string[] | null;
  readonly allowed_keyrings: readonly string[] | null;
  readonly allowed_purposes: readonly string[] | null;
  readonly max_signatures_per_second: number | null;
  readonly max_connections: number | null;
  readonly note: string | null;
}

/** One of a list. Of a refused one only its name and when it was made are known for sure. */
export interface ListedApiKey extends Omit<ApiKeyView, 'scope'> {
  readonly prefix: string;
  readonly scope: ApiKeyScope | null;
  /** null: not since `last_used_since` of the list. */
  readonly last_used_at: string | null;
  readonly state: 'valid' | 'expired' | 'refused';
  readonly refused_reason?: string;
}

/** The result of `apikey_list`. */
export interface ApiKeyList {
  readonly keys: readonly ListedApiKey[];
  /** When the agent started, which remembers uses since then; null: no agent was asked. */
  readonly last_used_since: string | null;
}

/** The result of `apikey_update`; `warnings`: names that allow nobody. */
export interface UpdatedApiKey extends ApiKeyView {
  readonly warnings: readonly string[];
}

/** The result of `apikey_create`: with the secret, or with an armored age file that holds it. */
export interface CreatedApiKey extends UpdatedApiKey {
  readonly secret?: string;
  readonly sealed?: string;
}

/** The result of `apikey_revoke`. */
export interface RevokedApiKey {
  readonly id: string;
  readonly revoked_at: string;
}
