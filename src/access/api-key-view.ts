import type { ApiKeyView, ListedApiKey } from '../api/api-keys.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { ApiKey } from './api-key.ts';
import type { ApiKeyEntry } from './api-keys-format.ts';
import { expiryOf } from './load-api-keys.ts';
import { listed } from './purposes.ts';

export function viewOf(key: ApiKey): ApiKeyView {
  return {
    id: key.id,
    scope: key.scope,
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    allowed_users: key.allowedUsers,
    allowed_machines: key.allowedMachines,
    allowed_keyrings: key.allowedKeyrings,
    allowed_purposes: key.allowedPurposes && listed(key.allowedPurposes),
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
    allowed_purposes: null,
    max_signatures_per_second: null,
    max_connections: null,
    note: typeof written['note'] === 'string' ? written['note'] : null,
  };
}
