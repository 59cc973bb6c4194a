import type { ApiKeyView } from '../../../api/api-keys.ts';
import type { Cell } from '../../shell/output.ts';
import { when } from '../../shell/when.ts';

/** Everything that is known of a key, for people; nothing of its secret. */
export function apiKeyRows(key: ApiKeyView, now: number): readonly (readonly Cell[])[] {
  const rows: [string, string | null][] = [
    ['name', key.id],
    ['scope', key.scope],
    ['keyrings', key.allowed_keyrings?.join(', ') ?? 'all'],
    ['purposes', key.allowed_purposes?.join(', ') ?? 'all'],
    ['users', key.allowed_users?.join(', ') ?? 'all'],
    ['machines', key.allowed_machines?.join(', ') ?? 'all'],
    ['expires', key.expires_at === null ? 'never' : when(key.expires_at, now)],
    ['limits', limitsText(key)],
    ['note', key.note],
  ];
  return rows.flatMap(([name, value]) => (value === null || value === '' ? [] : [[name, value]]));
}

/** The same in a few words, for a row of a list; '-' where there is none. */
export function restrictionsText(key: Omit<ApiKeyView, 'scope'>): string {
  const { allowed_keyrings, allowed_purposes, allowed_users, allowed_machines } = key;
  const machines = allowed_machines?.length;
  const parts = [
    allowed_keyrings === null ? '' : `keyring ${allowed_keyrings.join(', ')}`,
    // An agent from before says nothing of purposes.
    allowed_purposes?.length === undefined ? '' : `purpose ${allowed_purposes.join(', ')}`,
    allowed_users === null ? '' : `user ${allowed_users.join(', ')}`,
    machines === undefined ? '' : machines === 1 ? '1 machine' : `${machines} machines`,
    limitsText(key),
  ];
  return parts.filter((part) => part !== '').join('; ') || '-';
}

function limitsText({
  max_signatures_per_second: signatures,
  max_connections: connections,
}: Pick<ApiKeyView, 'max_signatures_per_second' | 'max_connections'>): string {
  const parts = [
    signatures === null ? '' : `${signatures} signatures a second`,
    connections === null ? '' : `${connections} connections`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}
