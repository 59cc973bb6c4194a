import { AgentError, describeFailure } from '../base/errors.ts';
import type { Versioned } from '../vault/state-store.ts';
import type { VaultObject } from '../vault/vault.ts';
import { journaled } from './change-journal.ts';
import type { KeyringParts } from './parts.ts';
import { kidOf } from '../algorithms/kid.ts';
import { withLatestTime } from './latest-time.ts';
import { activeKey, begin, isHeld, leaveOver, settle } from './lifecycle.ts';
import type { KeyRecord, KeyringState, PendingStep } from '../vault/key-records.ts';
import { proveKey } from './prove-key.ts';
import type { TrustedClock } from './trusted-clock.ts';

/** What is done about a step that was cut off. */
type Ending =
  /** Nothing is there, or a record names it by now. */
  | { readonly end: 'none' }
  | { readonly end: 'destroy' }
  | { readonly end: 'first_key' | 'left_over'; readonly key: KeyRecord }
  /** It cannot sign, which may be the token's fault: destroyed once the token has made another key. */
  | { readonly end: 'doubtful' };

/**
 * Ends what a killed process had announced. A removal was decided, so it is made; a half-made key is removed. A
 * whole key that was never acknowledged becomes the first key of a keyring that has none, once it has proved
 * itself. Else it is destroyed where the records are proved to be the newest; where they are not, they may be
 * an older copy, and the key may have been acknowledged since: it gets a record that is valid nowhere.
 *
 * Answers the object ids of keys that were to be the first one and cannot sign: `removeDoubtful` ends them.
 */
export async function endPendingSteps(
  parts: KeyringParts,
  clock: TrustedClock,
  objects: readonly VaultObject[],
  provedNewest: boolean,
): Promise<readonly string[]> {
  const stored = parts.store.current();
  if (stored === null || stored.state.pending.length === 0) return [];
  const { doubtful } = await journaled(
    parts.journal,
    { keyring: parts.name, method: 'end_steps' },
    () => endSteps(parts, clock, objects, provedNewest, stored),
    ({ kept, destroyed }) => ({
      kid: null,
      reason: `keys kept: ${kept.join(', ') || 'none'}; objects destroyed: ${destroyed.join(', ') || 'none'}`,
    }),
  );
  return doubtful;
}

/** Kids that were kept, object ids that were destroyed, and those of keys that cannot sign. */
interface EndedSteps {
  readonly kept: readonly string[];
  readonly destroyed: readonly string[];
  readonly doubtful: readonly string[];
}

async function endSteps(
  parts: KeyringParts,
  clock: TrustedClock,
  objects: readonly VaultObject[],
  provedNewest: boolean,
  stored: Versioned,
): Promise<EndedSteps> {
  const { name, vault, store, world } = parts;
  let { state } = stored;
  const ended: string[] = [];
  const destroyed: string[] = [];
  const kept: string[] = [];
  const doubtful: string[] = [];
  for (const step of stored.state.pending) {
    const { objectId } = step;
    const object = objects.find((one) => one.objectId === objectId);
    const ending = await endingOf(parts, state, step, object, provedNewest);
    if (ending.end === 'doubtful') {
      doubtful.push(objectId);
      continue;
    }
    if (ending.end === 'destroy') {
      await vault.destroy(objectId);
      world.testPoint('start/destroyed');
      destroyed.push(objectId);
    } else if (ending.end !== 'none') {
      state = ending.end === 'first_key' ? begin(state, ending.key) : leaveOver(state, ending.key);
      kept.push(ending.key.kid);
    }
    ended.push(objectId);
  }
  if (ended.length > 0) {
    const next = settle(state, ended);
    await store.save(withLatestTime(next, clock.now(next)), stored.version);
    world.testPoint('start/settled');
  }
  world.log.warn(
    { keyring: name, object_ids: ended, destroyed, kids_kept: kept, cannot_sign: doubtful },
    'ended steps that were cut off',
  );
  return { kept, destroyed, doubtful };
}

/** What could not become the first key, once another one has: so it is not the token that cannot sign. */
export async function removeDoubtful(
  { name, vault, store, world, journal }: KeyringParts,
  objectIds: readonly string[],
): Promise<void> {
  if (objectIds.length === 0) return;
  const remove = async (): Promise<void> => {
    for (const objectId of objectIds) await vault.destroy(objectId);
    const stored = store.current();
    if (stored !== null) await store.save(settle(stored.state, objectIds), stored.version);
  };
  try {
    await journaled(journal, { keyring: name, method: 'end_steps' }, remove, () => ({
      kid: null,
      reason: `objects destroyed: ${objectIds.join(', ')}`,
    }));
    world.log.warn(
      { keyring: name, object_ids: objectIds },
      'destroyed what was to be the first key and cannot sign',
    );
  } catch (failure) {
    world.log.error(
      { keyring: name, object_ids: objectIds, reason: describeFailure(failure) },
      'could not remove objects from the token: the next start tries again',
    );
  }
}

async function endingOf(
  parts: KeyringParts,
  state: KeyringState,
  { step, objectId, since }: PendingStep,
  object: VaultObject | undefined,
  provedNewest: boolean,
): Promise<Ending> {
  if (isHeld(state, objectId)) return { end: 'none' };
  const key = step === 'generate' ? wholeKey(object, since) : null;
  // Destroyed also where nothing was listed: there may be an object of a class that no list has.
  if (key === null || state.keys.has(key.kid)) return { end: 'destroy' };
  if (state.active === null) {
    return (await failureToSign(parts, key)) === null
      ? { end: 'first_key', key }
      : { end: 'doubtful' };
  }
  if (provedNewest) return { end: 'destroy' };
  if ((await failureToSign(parts, key)) === null) return { end: 'left_over', key };
  // Where the active key cannot sign either it is the token: the start ends here, with nothing destroyed.
  await proveKey(parts, activeKey(state));
  return { end: 'destroy' };
}

/** null where the key proves itself. */
async function failureToSign(parts: KeyringParts, key: KeyRecord): Promise<AgentError | null> {
  try {
    await proveKey(parts, key);
    return null;
  } catch (failure) {
    if (failure instanceof AgentError) return failure;
    throw failure;
  }
}

function wholeKey(object: VaultObject | undefined, createdAt: string): KeyRecord | null {
  if (object === undefined || !object.hasPrivateKey || object.publicKey === null) return null;
  const { objectId, publicKey } = object;
  return { kid: kidOf(publicKey), publicKey, createdAt, objectId };
}
