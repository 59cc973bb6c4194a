import { AgentError } from '../errors.ts';
import { formatTime } from '../rfc3339.ts';
import type { VaultObject } from '../vault/vault.ts';
import { KeyChanges } from './key-changes.ts';
import { faultOf } from './key-fault.ts';
import { Keyring, type KeyringParts } from './keyring.ts';
import { kidOf } from './kid.ts';
import {
  begin,
  emptyState,
  heldKeys,
  isHeld,
  leaveOver,
  settle,
  type KeyRecord,
  type KeyringState,
} from './lifecycle.ts';
import { repairCommand } from './repair-command.ts';

/**
 * Opens a keyring: holds the saved state against what the vault really has, ends the steps that a killed
 * process left half done, makes the first key where there never was one, and proves the active key.
 *
 * Throws `backend_unavailable` with what was found and the command that repairs it where the two do not fit:
 * never an empty start over existing keys, never a new key in silence.
 */
export async function openKeyring(parts: KeyringParts): Promise<Keyring> {
  const { vault, store, world } = parts;
  const objects = vault.reserve === null ? [] : await vault.list();
  const stored = store.current();
  if (stored === null || stored.state.active === null) {
    refuseStrangers(parts, stored?.state ?? emptyState, objects);
    await endPendingSteps(parts, objects);
    const begun = store.current();
    if (begun === null || begun.state.active === null) await makeFirstKey(parts, begun === null);
  } else {
    refuseLostKeys(parts, stored.state, objects);
    await endPendingSteps(parts, objects);
    reportStrangers(parts, stored.state, objects);
  }
  const keyring = new Keyring(parts);
  await keyring.proveActiveKey();
  world.log.info({ keyring: parts.name, ...keyring.description }, 'keyring open');
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

/** Every key that may still sign must be in the token, whole, with the public key of its record. */
function refuseLostKeys(
  { name, vault, store }: KeyringParts,
  state: KeyringState,
  objects: readonly VaultObject[],
): void {
  if (vault.reserve === null) return;
  const byId = new Map(objects.map((object) => [object.objectId, object]));
  const problems = heldKeys(state).flatMap((key) => {
    const fault = faultOf(key, byId.get(key.objectId));
    return fault === null ? [] : [`key ${key.kid} (object id ${key.objectId}) ${fault}`];
  });
  if (problems.length === 0) return;
  throw new AgentError(
    'backend_unavailable',
    `keyring ${name}: ${store.location} and the token do not fit: ${problems.join('; ')}. ` +
      `See both side by side, and repair, with: ${repairCommand(name)}`,
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

/**
 * Ends what a killed process had announced. A removal was decided, so it is made; a half-made key is removed. A
 * whole key that was never acknowledged is not destroyed, since the records may be an older copy that was put
 * back: it gets a record that is valid nowhere, or becomes the first key of a keyring that has none.
 */
async function endPendingSteps(
  { name, vault, store, world }: KeyringParts,
  objects: readonly VaultObject[],
): Promise<void> {
  const stored = store.current();
  if (stored === null || stored.state.pending.length === 0) return;
  const { pending } = stored.state;
  const objectIds = pending.map((step) => step.objectId);
  let state = settle(stored.state, objectIds);
  const leftOver: string[] = [];
  for (const { step, objectId, since } of pending) {
    const object = objects.find((one) => one.objectId === objectId);
    const made = step === 'generate' ? wholeKey(object, since) : null;
    if (made !== null && !state.keys.has(made.kid)) {
      state = state.active === null ? begin(state, made) : leaveOver(state, made);
      leftOver.push(made.kid);
    } else if (!isHeld(state, objectId)) {
      await vault.destroy(objectId);
    }
  }
  await store.save(state, stored.version);
  world.log.warn(
    { keyring: name, object_ids: objectIds, kids_kept: leftOver },
    'ended steps that were cut off',
  );
}

function wholeKey(object: VaultObject | undefined, createdAt: string): KeyRecord | null {
  if (object === undefined || !object.hasPrivateKey || object.publicKey === null) return null;
  const { objectId, publicKey } = object;
  return { kid: kidOf(publicKey), publicKey, createdAt, objectId };
}

async function makeFirstKey(parts: KeyringParts, nothingSaved: boolean): Promise<void> {
  const { name, vault, store, world } = parts;
  world.log.warn({ keyring: name, state: store.location }, 'a new keyring: making its first key');
  if (vault.reserve === null) {
    const made = await vault.generate(null);
    const key = { ...made, kid: kidOf(made.publicKey), createdAt: formatTime(world.now()) };
    await store.save(begin(emptyState, key), null);
    return;
  }
  if (nothingSaved) await store.save(emptyState, null);
  await new KeyChanges(parts).run({
    needsKey: () => true,
    apply: (state, key) => ({ state: key === null ? state : begin(state, key), result: null }),
  });
}
