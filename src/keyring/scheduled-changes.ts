import { formatTime } from '../base/rfc3339.ts';
import { activated, preparedKey, published, type Now } from './requested-changes.ts';
import type { Change } from './change.ts';
import type { KeyringState } from '../vault/key-records.ts';
import {
  nextRotation,
  nextRotationStep,
  type RotationPolicy,
  type ScheduledChange,
} from './rotation-schedule.ts';
import type { PreparedKey, Rotation } from '../api/signing-backend.ts';

/**
 * What a keyring changes by itself. Somebody else may have changed it since it was decided, another agent on the
 * same records above all: then it is due no more, nothing is done, and the result is null.
 */
export function scheduledPreparation(
  now: Now,
  policy: RotationPolicy,
  decided: ScheduledChange,
): Change<PreparedKey | null> {
  return {
    needsKey: (state) => isStillDue(state, policy, decided),
    apply: (state, newKey) => {
      if (newKey === null || !isStillDue(state, policy, decided)) return { state, result: null };
      const activatesAt = Math.max(nextRotation(state, policy), now(state));
      return published(state, newKey, formatTime(activatesAt));
    },
  };
}

export function scheduledActivation(
  now: Now,
  policy: RotationPolicy,
  decided: ScheduledChange,
): Change<Rotation | null> {
  const next = (state: KeyringState) =>
    isStillDue(state, policy, decided) ? preparedKey(state) : null;
  return {
    needsKey: () => false,
    activates: next,
    apply: (state) => {
      const key = next(state);
      if (key === null) return { state, result: null };
      return activated(state, key, now(state), policy.graceSeconds);
    },
  };
}

/** Compared with the time that it was decided for: what becomes due only meanwhile has not been proved. */
function isStillDue(
  state: KeyringState,
  policy: RotationPolicy,
  { what, kid, at }: ScheduledChange,
): boolean {
  const step = nextRotationStep(state, policy);
  return step.what === what && step.kid === kid && step.at <= at;
}
