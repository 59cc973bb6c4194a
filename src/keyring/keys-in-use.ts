import { activeKey } from './lifecycle.ts';
import type { KeyringState } from '../vault/key-records.ts';
import { nextRotation, type RotationPolicy } from './rotation-schedule.ts';

/** A key that signs, or is about to. */
export interface KeyInUse {
  readonly kid: string;
  /** Raw bytes, see ValidKey.public_key_b64. */
  readonly publicKey: Uint8Array;
  readonly status: 'active' | 'prepared';
  /** When another key takes its place by itself, milliseconds since the epoch; null: rotated by hand. */
  readonly usedUntil: number | null;
}

/** The active key, and the prepared one where there is one. Throws where there is no active key. */
export function keysInUse(state: KeyringState, policy: RotationPolicy | null): readonly KeyInUse[] {
  const { kid, publicKey } = activeKey(state);
  const end = policy === null ? null : nextRotation(state, policy);
  const keys: KeyInUse[] = [{ kid, publicKey, status: 'active', usedUntil: end }];
  const next = state.prepared === null ? undefined : state.keys.get(state.prepared.kid);
  if (next !== undefined) {
    const usedUntil = policy === null || end === null ? null : end + policy.everySeconds * 1000;
    keys.push({ kid: next.kid, publicKey: next.publicKey, status: 'prepared', usedUntil });
  }
  return keys;
}
