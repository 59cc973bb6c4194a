import { encodeBase64 } from '../base/base64.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { Change } from './change.ts';
import {
  activate,
  expiredGrace,
  leftOverKeys,
  prepare,
  refuseSecondPrepared,
  refuseUnrevocable,
  remove,
  revoke,
} from './lifecycle.ts';
import type { KeyRecord, KeyringState } from '../vault/key-records.ts';
import type { PreparedKey, Revocation, Rotation } from '../api/signing-backend.ts';

/** What callers change of a keyring. `Now` is the time that its keys go by, milliseconds since the epoch. */
export type Now = (state: KeyringState) => number;

export function rotation(now: Now, graceSeconds: number): Change<Rotation> {
  return {
    needsKey: (state) => state.prepared === null,
    activates: preparedKey,
    apply: (state, newKey) =>
      activated(state, preparedKey(state) ?? required(newKey), now(state), graceSeconds),
  };
}

/** Of keys whose grace has ended. Answers with the kids that were removed. */
export function pruning(now: Now): Change<readonly string[]> {
  return removal((state) => expiredGrace(state, now(state)));
}

/** Likewise, of left-over keys too: nobody can use one, but only an operator knows that nobody misses it. */
export function pruningOfAll(now: Now): Change<readonly string[]> {
  return removal((state) => [...expiredGrace(state, now(state)), ...leftOverKeys(state)]);
}

function removal(kidsOf: (state: KeyringState) => readonly string[]): Change<readonly string[]> {
  return {
    needsKey: () => false,
    apply: (state) => {
      const kids = kidsOf(state);
      return { state: kids.length === 0 ? state : remove(state, kids), result: kids };
    },
  };
}

export function preparation(now: Now, activateAfterSeconds: number | null): Change<PreparedKey> {
  return {
    needsKey: (state) => {
      refuseSecondPrepared(state);
      return true;
    },
    apply: (state, newKey) =>
      published(
        state,
        required(newKey),
        activateAfterSeconds === null ? null : formatTime(now(state) + activateAfterSeconds * 1000),
      ),
  };
}

/** As `preparation`, of a key that `make` takes over under the object id that it is given. */
export function importation(
  now: Now,
  activateAfterSeconds: number | null,
  make: NonNullable<Change<PreparedKey>['make']>,
): Change<PreparedKey> {
  return { ...preparation(now, activateAfterSeconds), make };
}

export function revocation(now: Now, kid: string, reason: string | null): Change<Revocation> {
  return {
    needsKey: (state) => {
      refuseUnrevocable(state, kid, now(state));
      return state.active === kid && state.prepared === null;
    },
    activates: (state) => (state.active === kid ? preparedKey(state) : null),
    apply: (state, newKey) => {
      refuseUnrevocable(state, kid, now(state));
      const at = formatTime(now(state));
      const replacement = state.active === kid ? (preparedKey(state) ?? required(newKey)) : null;
      return {
        state: revoke(state, kid, at, reason, replacement),
        result: {
          kid,
          revoked_at: at,
          ...(replacement === null ? {} : { new_active_kid: replacement.kid }),
        },
      };
    },
  };
}

/** The next state of an activation, and what its caller is told. */
export function activated(
  state: KeyringState,
  next: KeyRecord,
  now: number,
  graceSeconds: number,
): { state: KeyringState; result: Rotation } {
  const change = activate(state, next, now, graceSeconds);
  return {
    state: change.state,
    result: {
      new_active_kid: next.kid,
      new_active_public_key_b64: encodeBase64(next.publicKey),
      previous_kid: change.previousKid,
      previous_grace_until: change.previousGraceUntil,
    },
  };
}

/** The same of a preparation. */
export function published(
  state: KeyringState,
  key: KeyRecord,
  activatesAt: string | null,
): { state: KeyringState; result: PreparedKey } {
  return {
    state: prepare(state, key, activatesAt),
    result: {
      kid: key.kid,
      public_key_b64: encodeBase64(key.publicKey),
      activates_at: activatesAt,
    },
  };
}

/** What becomes active next without a key being made. */
export function preparedKey(state: KeyringState): KeyRecord | null {
  return state.prepared === null ? null : (state.keys.get(state.prepared.kid) ?? null);
}

/** `needsKey` said that a key is needed, so there is one. */
function required(newKey: KeyRecord | null): KeyRecord {
  if (newKey === null) throw new Error('a change that needs a key was given none');
  return newKey;
}
