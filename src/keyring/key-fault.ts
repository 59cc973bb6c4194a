import type { VaultObject } from '../vault/vault.ts';
import { kidOf } from '../algorithms/kid.ts';
import type { KeyRecord } from '../vault/key-records.ts';

/**
 * Why a key that may still sign cannot, by what the token has under its object id; null where both fit. The
 * public half may be missing: the record has the public key, and the first signature proves that they belong
 * together.
 */
export function faultOf(key: KeyRecord, object: VaultObject | undefined): string | null {
  if (object === undefined) return 'is not in the token';
  if (!object.hasPrivateKey) return 'has lost its private half';
  if (object.publicKey !== null && Buffer.compare(object.publicKey, key.publicKey) !== 0) {
    return `is another key in the token, ${kidOf(object.publicKey)}`;
  }
  return null;
}
