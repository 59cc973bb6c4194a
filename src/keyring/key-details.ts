import { describeFailure } from '../base/errors.ts';
import type { Vault } from '../vault/vault.ts';
import { keyView } from './key-views.ts';
import type { KeyRecord, KeyringState } from '../vault/key-records.ts';
import type { KeyDetails } from '../api/signing-backend.ts';

/** What `list_keys` says of a key, with what its vault says of it. */
export async function keyDetails(
  vault: Vault,
  state: KeyringState,
  key: KeyRecord,
  now: number,
): Promise<KeyDetails> {
  const view = keyView(state, key, now);
  return {
    ...view,
    protection: vault.protection,
    object_id: vault.reserve === null ? null : key.objectId,
    attributes: view.state === 'revoked' ? null : await evidenceOf(vault, key),
  };
}

/** What the vault says of a key; one that it cannot say anything of has `error` there. */
export async function evidenceOf(
  vault: Vault,
  key: KeyRecord,
): Promise<Readonly<Record<string, unknown>> | null> {
  try {
    return await vault.evidence(key);
  } catch (failure) {
    return { error: describeFailure(failure) }; // one lost object must not hide the others
  }
}
