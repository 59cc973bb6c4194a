import { formatTime } from '../base/rfc3339.ts';
import type { ApiKey } from './api-key.ts';
import type { ApiKeyEntry } from './api-keys-format.ts';
import { expiryOf } from './load-api-keys.ts';

/** What is shown of an API key: never the secret, never its hash. Times are RFC 3339, as they are in the file. */
export interface ApiKeyView {
  readonly id: string;
  readonly scope: ApiKey['scope'];
  readonly created_at: string;
  /** null: never. */
  readonly expires_at: string | null;
  /** null, here and below: no such restriction. */
  readonly allowed_users: readonly string[] | null;
  readonly allowed_machines: readonly string[] | null;
  readonly allowed_keyrings: readonly string[] | null;
  readonly max_signatures_per_second: number | null;
  readonly max_connections: number | null;
  readonly note: string | null;
}

/** One of a list. Of a refused one only its name and when it was made are known for sure. */
export interface ListedApiKey extends Omit<ApiKeyView, 'scope'> {
  readonly prefix: string;
  readonly scope: ApiKey['scope'] | null;
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

export interface RevokedApiKey {
  readonly id: string;
  readonly revoked_at: string;
}

export function viewOf(key: ApiKey): ApiKeyView {
  return {
    id: key.id,
    scope: key.scope,
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    allowed_users: key.allowedUsers,
    allowed_machines: key.allowedMachines,
    allowed_keyrings: key.allowedKeyrings,
    max_signatures_per_second: key.maxSignaturesPerSecond,
    max_connections: key.maxConnections,
    note: key.note,
  };
}

/** `lastUsed` and `now` in milliseconds since the epoch. */
export function listedOf(entry: ApiKeyEntry, lastUsed: number | null, now: number): ListedApiKey {
  const { id, key, refused } = entry;
  const prefix = `sa_${id}_`;
  const last_used_at = lastUsed === null ? null : formatTime(lastUsed);
  if (key === null) {
    return {
      ...unknownOf(entry),
      prefix,
      last_used_at,
      state: 'refused',
      refused_reason: refused,
    };
  }
  const expires = expiryOf(key);
  const expired = expires !== null && now >= expires;
  return { ...viewOf(key), prefix, last_used_at, state: expired ? 'expired' : 'valid' };
}

function unknownOf({ id, written }: ApiKeyEntry): Omit<ApiKeyView, 'scope'> & { scope: null } {
  return {
    id,
    scope: null,
    created_at: String(written['created_at']),
    expires_at: null,
    allowed_users: null,
    allowed_machines: null,
    allowed_keyrings: null,
    max_signatures_per_second: null,
    max_connections: null,
    note: typeof written['note'] === 'string' ? written['note'] : null,
  };
}
