import { quoted } from '../base/errors.ts';
import { parseTime } from '../base/rfc3339.ts';
import { unresolved, userIdOf, type Accounts } from './access-rules.ts';
import type { ApiKey, LoadedApiKey, LoadedApiKeys } from './api-key.ts';
import type { ApiKeysDocument } from './api-keys-format.ts';

/** The keys of a file as they are used from now on: times as numbers, users as uids of this moment. */
export function loadApiKeys(
  { entries }: ApiKeysDocument,
  accounts: Pick<Accounts, 'userId'>,
): LoadedApiKeys {
  const keys = new Map<string, LoadedApiKey>();
  const refused = new Map<string, string>();
  const warnings: string[] = [];
  for (const { id, key, refused: reason } of entries) {
    if (key === null) {
      refused.set(id, reason);
      warnings.push(`API key ${id} is refused: ${reason}`);
    } else {
      const { users, warnings: nobody } = resolveUsers(key, accounts);
      warnings.push(...nobody);
      keys.set(id, { ...key, expires: expiryOf(key), users });
    }
  }
  return { keys, refused, warnings };
}

/** The uids of `allowed_users`; a name that cannot be resolved allows nobody, and is a warning. */
export function resolveUsers(
  { id, allowedUsers }: Pick<ApiKey, 'id' | 'allowedUsers'>,
  accounts: Pick<Accounts, 'userId'>,
): { readonly users: ReadonlySet<number> | null; readonly warnings: readonly string[] } {
  if (allowedUsers === null) return { users: null, warnings: [] };
  const where = `API key ${id}: allowed_users`;
  const users = new Set<number>();
  const warnings: string[] = [];
  for (const name of allowedUsers) {
    const uid = name.startsWith('@') ? null : userIdOf(name, accounts);
    if (uid !== null) users.add(uid);
    else if (!name.startsWith('@')) warnings.push(unresolved(where, name));
    else warnings.push(`${where}: ${quoted(name)} is a group, not a user, so it allows nobody`);
  }
  return { users, warnings };
}

/** Milliseconds since the epoch, the first one at which it has expired. */
export function expiryOf({ expiresAt }: ApiKey): number | null {
  const instant = expiresAt === null ? null : parseTime(expiresAt);
  return instant === null ? null : instant.ms + (instant.nanos > 0 ? 1 : 0);
}
