import { AgentError } from '../base/errors.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { VaultObject } from '../vault/vault.ts';
import { journaled } from './change-journal.ts';
import { ChangeExecutor } from './change-executor.ts';
import { faultOf } from './key-fault.ts';
import { withLatestTime } from './latest-time.ts';
import { Keyring } from './keyring.ts';
import type { KeyringParts } from './parts.ts';
import { kidOf } from '../algorithms/kid.ts';
import { begin, statusOf } from './lifecycle.ts';
import { emptyState, heldKeys, type KeyringState } from '../vault/key-records.ts';
import { endPendingSteps, removeDoubtful } from './pending-steps.ts';
import { repairCommand } from './repair-command.ts';
import { reportClockBehind } from './report-clock.ts';
import { TrustedClock } from './trusted-clock.ts';

/**
 * Opens a keyring: looks whether the saved state is the newest, compares it with what the vault really has,
 * ends the steps that a killed process left half done, makes the first key where there never was one, and
 * proves the active key.
 *
 * Throws `backend_unavailable` with what was found and the command that repairs it where they do not fit:
 * never an older copy, never an empty start over existing keys, never a new key in silence.
 */
export async function openKeyring(parts: KeyringParts): Promise<Keyring> {
  const { vault, store, world } = parts;
  const { provedNewest } = await store.open(vault.sealStore, world);
  const clock = new TrustedClock(world, parts.name);
  const objects = vault.reserve === null ? [] : await vault.list();
  const stored = store.current();
  if (stored !== null) reportClockBehind(parts, clock, stored.state);
  if (stored === null || stored.state.active === null) {
    refuseStrangers(parts, stored?.state ?? emptyState, objects);
    await store.seal(world);
    world.testPoint('start/sealed');
    const doubtful = await endPendingSteps(parts, clock, objects, provedNewest);
    const begun = store.current();
    if (begun === null || begun.state.active === null) {
      const { name: keyring, journal } = parts;
      await journaled(
        journal,
        { keyring, method: 'first_key' },
        () => makeFirstKey(parts, clock, begun === null),
        () => ({ kid: store.current()?.state.active ?? null, reason: null }),
      );
    }
    await removeDoubtful(parts, doubtful);
  } else {
    judgeLostKeys(parts, clock, stored.state, objects);
    await store.seal(world);
    world.testPoint('start/sealed');
    await endPendingSteps(parts, clock, objects, provedNewest);
    reportStrangers(parts, stored.state, objects);
  }
  const keyring = new Keyring(parts, clock);
  await keyring.proveActiveKey();
  world.log.info({ keyring: parts.name, ...keyring.description }, 'keyring open');
  keyring.startUpkeep();
  return keyring;
}

/** Before the first key the token may hold nothing of ours but what was announced. */
function refuseStrangers(
  { name, store }: KeyringParts,
  state: KeyringState,
  objects: readonly VaultObject[],
): void {
  const strangers = objects.filter((object) => !isKnown(state, object));
  if (strangers.length === 0) return;
  throw new AgentError(
    'backend_unavailable',
    `keyring ${name}: the token holds ${strangers.length} key(s) of this keyring (object ids ` +
      `${strangers.map(({ objectId }) => objectId).join(', ')}), but ${store.location} has no record of ` +
      `them. Put the file back from a copy, or rebuild it with: ${repairCommand(name)}`,
  );
}

/**
 * Every key that may still sign must be in the token, whole, with the public key of its record. One whose grace is
 * over is waiting to be pruned: that it is gone already is said, and no more.
 */
function judgeLostKeys(
  { name, vault, store, world }: KeyringParts,
  clock: TrustedClock,
  state: KeyringState,
  objects: readonly VaultObject[],
): void {
  if (vault.reserve === null) return;
  const byId = new Map(objects.map((object) => [object.objectId, object]));
  const now = clock.now(state);
  const lost = heldKeys(state).flatMap((key) => {
    const fault = faultOf(key, byId.get(key.objectId));
    if (fault === null) return [];
    const maySign = statusOf(state, key.kid, now) !== 'retired';
    return [{ maySign, text: `key ${key.kid} (object id ${key.objectId}) ${fault}` }];
  });
  const problems = lost.filter(({ maySign }) => maySign).map(({ text }) => text);
  if (problems.length > 0) {
    throw new AgentError(
      'backend_unavailable',
      `keyring ${name}: ${store.location} and the token do not fit: ${problems.join('; ')}. ` +
        `See both side by side, and repair, with: ${repairCommand(name)}`,
    );
  }
  if (lost.length === 0) return;
  world.log.warn(
    { keyring: name, found: lost.map(({ text }) => text) },
    'keys that are valid no more are not in the token as they were recorded: pruning removes their records',
  );
}

/** Objects with our label that no record names: left alone, and said so. */
function reportStrangers(
  { name, world }: KeyringParts,
  state: KeyringState,
  objects: readonly VaultObject[],
): void {
  const strangers = objects.filter((object) => !isKnown(state, object));
  if (strangers.length === 0) return;
  world.log.warn(
    { keyring: name, object_ids: strangers.map(({ objectId }) => objectId) },
    'the token holds objects of this keyring that no record names: neither used nor touched',
  );
}

function isKnown(state: KeyringState, { objectId }: VaultObject): boolean {
  return (
    state.pending.some((step) => step.objectId === objectId) ||
    [...state.keys.values()].some((key) => key.objectId === objectId)
  );
}

async function makeFirstKey(
  parts: KeyringParts,
  clock: TrustedClock,
  nothingSaved: boolean,
): Promise<void> {
  const { name, vault, store, world } = parts;
  world.log.warn({ keyring: name, state: store.location }, 'a new keyring: making its first key');
  const now = clock.now(emptyState);
  if (vault.reserve === null) {
    const made = await vault.generate(null);
    const key = { ...made, kid: kidOf(made.publicKey), createdAt: formatTime(now) };
    await store.save(withLatestTime(begin(emptyState, key), now), null);
    return;
  }
  if (nothingSaved) await store.save(withLatestTime(emptyState, now), null);
  world.testPoint('start/begun');
  await new ChangeExecutor(parts, clock).run({
    needsKey: () => true,
    apply: (state, key) => ({ state: key === null ? state : begin(state, key), result: null }),
  });
}
