import { encodeBase64 } from '../base/base64.ts';
import { statusOf, validKeys } from './lifecycle.ts';
import type { KeyRecord, KeyringState } from '../vault/key-records.ts';
import type { KeyDetails, KeyStatus, ValidKey } from '../api/signing-backend.ts';

/** Key records as callers see them. */

/** The result of `list_valid_pubkeys`, in its order. */
export function validKeyViews(
  state: KeyringState,
  now: number,
  includePrepared: boolean,
): readonly ValidKey[] {
  const view = (key: KeyRecord, status: ValidKey['status']): ValidKey => ({
    kid: key.kid,
    public_key_b64: encodeBase64(key.publicKey),
    status,
    valid_until: status === 'grace' ? (state.graceUntil.get(key.kid) ?? null) : null,
    created_at: key.createdAt,
  });
  const valid = validKeys(state, now).map((key) =>
    view(key, key.kid === state.active ? 'active' : 'grace'),
  );
  const prepared =
    includePrepared && state.prepared !== null ? state.keys.get(state.prepared.kid) : undefined;
  return prepared === undefined ? valid : [...valid, view(prepared, 'prepared')];
}

/** What `list_keys` says of a key but for what its token says. */
export function keyView(
  state: KeyringState,
  key: KeyRecord,
  now: number,
): Omit<KeyDetails, 'protection' | 'object_id' | 'attributes'> {
  const status = statusOf(state, key.kid, now) ?? 'retired';
  const revoked = state.revoked.get(key.kid);
  return {
    kid: key.kid,
    public_key_b64: encodeBase64(key.publicKey),
    state: status,
    created_at: key.createdAt,
    valid_until: state.graceUntil.get(key.kid) ?? null,
    ...(status === 'prepared' ? { activates_at: state.prepared?.activatesAt ?? null } : {}),
    ...(revoked === undefined ? {} : { revoked_at: revoked.at }),
    ...(revoked === undefined || revoked.reason === null ? {} : { reason: revoked.reason }),
  };
}

/** How many keys are in each state at `now`. */
export function countKeys(state: KeyringState, now: number): Readonly<Record<KeyStatus, number>> {
  const counts = { prepared: 0, active: 0, grace: 0, revoked: 0, retired: 0 };
  for (const kid of state.keys.keys()) {
    const status = statusOf(state, kid, now);
    if (status !== null) counts[status] += 1;
  }
  return counts;
}
