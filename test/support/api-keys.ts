import { hashOfSecret } from '../../src/access/api-key-check.ts';
import type { LoadedApiKey, LoadedApiKeys } from '../../src/access/api-key.ts';

/** The secret that a key of this id has here; `version` tells it from that of another key of the same name. */
export function secretOf(id: string, version = 1): string {
  return `sa_${id}_${version.toString(16).padStart(64, '0')}`;
}

/** An API key as it is once it is loaded, without restrictions where none is given. */
export function apiKey(id: string, given: Partial<LoadedApiKey> = {}, version = 1): LoadedApiKey {
  return {
    id,
    hash: hashOfSecret(secretOf(id, version)),
    scope: 'app',
    createdAt: '2026-05-14T17:55:00Z',
    expiresAt: null,
    allowedUsers: null,
    allowedMachines: null,
    allowedKeyrings: null,
    allowedPurposes: null,
    maxSignaturesPerSecond: null,
    maxConnections: null,
    note: null,
    expires: null,
    users: null,
    ...given,
  };
}

export function apiKeys(...keys: readonly LoadedApiKey[]): LoadedApiKeys {
  return { keys: new Map(keys.map((key) => [key.id, key])), refused: new Map(), warnings: [] };
}
