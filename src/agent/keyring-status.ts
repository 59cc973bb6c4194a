import { listed } from '../access/purposes.ts';
import type { KeyringSettings } from '../config/keyring-settings.ts';
import { AgentError, describeFailure } from '../base/errors.ts';
import type { KeyringFailure } from '../keyring/health.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { KeyringStatus } from '../api/status.ts';
import type { ClosedEntry, OpenEntry } from './supervised-entry.ts';
import { kindOf } from '../vault/kinds/kinds.ts';
import { formatTime } from '../base/rfc3339.ts';

/** What `status` says of a keyring; `entry` is null before it was tried. */
export function keyringStatus(
  settings: KeyringSettings,
  entry: OpenEntry<Keyring> | ClosedEntry | null,
  now: number,
): KeyringStatus {
  const { name, backend } = settings;
  const algorithm = kindOf(settings).algorithmOf(settings);
  const purposes = settings.purposes && listed(settings.purposes);
  const base = { name, backend, algorithm, purposes, rotation: rotationOf(settings) };
  const closed = {
    ...base,
    protection: null,
    rollback_protection: null,
    active_kid: null,
    key_counts: null,
    next_rotation: null,
    next_change: null,
  };
  if (entry === null) return { ...closed, health: 'unavailable', last_error: null };
  if (!('keyring' in entry)) {
    const health = entry.failure.kind === 'locked' ? 'locked' : 'unavailable';
    return { ...closed, health, last_error: described(entry.failure, entry.at) };
  }
  const { keyring } = entry;
  const { failing, lastFailure, outage, flaw } = keyring.health;
  const { protection } = keyring.description;
  const { rollbackProtection: rollback_protection } = keyring;
  try {
    const nextRotation = keyring.nextRotation();
    return {
      ...base,
      protection,
      rollback_protection,
      active_kid: keyring.activeKid(),
      key_counts: keyring.keyCounts(),
      health:
        outage?.kind === 'locked' ? 'locked' : outage || failing || flaw ? 'unavailable' : 'ok',
      // What stands in the way now goes before what is tried again, and that before what is over.
      last_error:
        outage ?? (failing ? lastFailure : (flaw ?? keyring.rotationFailure ?? lastFailure)),
      next_rotation: nextRotation === null ? null : formatTime(nextRotation),
      next_change: keyring.nextChange(),
    };
  } catch (failure) {
    return {
      ...closed,
      protection,
      rollback_protection,
      health: 'unavailable',
      last_error: described(asAgentError(failure), formatTime(now)),
    };
  }
}

function rotationOf({ rotation }: KeyringSettings): KeyringStatus['rotation'] {
  if (rotation === null) return null;
  return {
    every_seconds: rotation.everySeconds,
    prepublish_seconds: rotation.prepublishSeconds,
    grace_seconds: rotation.graceSeconds,
  };
}

/** What was thrown, with a kind: `internal` where it has none. */
export function asAgentError(thrown: unknown): AgentError {
  if (thrown instanceof AgentError) return thrown;
  return new AgentError('internal', describeFailure(thrown), { cause: thrown });
}

export function described({ kind, message }: AgentError, at: string): KeyringFailure {
  return { kind, message, at };
}
