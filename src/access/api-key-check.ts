import { createHash, timingSafeEqual } from 'node:crypto';
import type { LoadedApiKey, LoadedApiKeys } from './api-key.ts';

/**
 * Why an API key is not accepted, in the order in which it is checked. The caller is never told which:
 * `form` it is no API key, `unknown` there is none of that name, `entry` its entry is refused, `secret` it is
 * another one, then its expiry, the machine, the user. `replaced`: a connection had authenticated with it, and by
 * now the name has another secret. `gone`: likewise, and there is no such name any more.
 */
export type ApiKeyFault =
  'form' | 'unknown' | 'entry' | 'secret' | 'expired' | 'machine' | 'user' | 'replaced' | 'gone';

/** `sa_<id>_<64 hex>`, the secret as its holder has it. */
const form = /^sa_([a-z0-9][a-z0-9-]{0,30})_([0-9a-f]{64})$/;

/** Of its text in UTF-8. */
export function hashOfSecret(secret: string | Uint8Array): Uint8Array {
  return createHash('sha256').update(secret).digest();
}

/** The name that a secret claims to belong to, which is no secret; null where it has not the form of one. */
export function claimedId(secret: string): string | null {
  return form.exec(secret)?.[1] ?? null;
}

/** What is compared with where there is nothing to compare with, so that both take the same time. */
const nobody = new Uint8Array(32);

/** Form, then lookup by name, then comparison in constant time. */
export function findApiKey(
  secret: string,
  { keys, refused }: LoadedApiKeys,
): LoadedApiKey | ApiKeyFault {
  const id = claimedId(secret);
  if (id === null) return 'form';
  const key = keys.get(id);
  const same = timingSafeEqual(hashOfSecret(secret), key?.hash ?? nobody);
  if (key === undefined) return refused.has(id) ? 'entry' : 'unknown';
  return same ? key : 'secret';
}

/** What its restrictions are compared with. */
export interface ApiKeyUse {
  /** null: no process of this machine calls, so that a key for some users is not for this one. */
  readonly uid: number | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Fingerprint of this machine; null where it cannot be told. */
  readonly machine: string | null;
}

/** Expiry, then machine, then user. A restriction that cannot be evaluated refuses. */
export function faultOf(key: LoadedApiKey, { uid, now, machine }: ApiKeyUse): ApiKeyFault | null {
  if (key.expires !== null && now >= key.expires) return 'expired';
  if (key.allowedMachines !== null) {
    if (machine === null || !key.allowedMachines.includes(machine)) return 'machine';
  }
  if (key.users !== null && (uid === null || !key.users.has(uid))) return 'user';
  return null;
}

const words: Readonly<Record<ApiKeyFault, string>> = {
  form: 'what was given has not the form of an API key',
  unknown: 'there is no API key of that name',
  entry: 'the entry of the API key is refused',
  secret: 'the secret is not that of the API key',
  expired: 'the API key has expired',
  machine: 'the API key is not for this machine',
  user: 'the API key is not for this user',
  replaced: 'the API key was revoked, and its name has another secret now',
  gone: 'the API key was revoked',
};

/** For log and audit, never for the caller. */
export function faultInWords(fault: ApiKeyFault): string {
  return words[fault];
}
