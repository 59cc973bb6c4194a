import { AgentError, describeFailure } from '../base/errors.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { Versioned } from '../vault/state-store.ts';
import type { Change } from './change.ts';
import { kidOf } from '../algorithms/kid.ts';
import type { KeyringParts } from './parts.ts';
import { withLatestTime } from './latest-time.ts';
import { proveKey } from './prove-key.ts';
import { activeKey, announce, isHeld, settle, takenKid } from './lifecycle.ts';
import {
  heldKeys,
  type KeyRecord,
  type KeyringState,
  type PendingStep,
} from '../vault/key-records.ts';
import type { TrustedClock } from './trusted-clock.ts';

/** How often a change starts over because someone else saved meanwhile. */
const maxConflicts = 8;
/** 32 bits of kid: more than one collision in a row is no accident. */
const maxCollisions = 5;
/** Ids of two bytes are taken in vain only where most of them are recorded. */
const mostReservations = 1000;

/**
 * Carries changes out, one at a time: announce the steps in the token, make the key, save the next state,
 * then destroy what no key record needs any more. Killed anywhere, the saved announcements tell the next start
 * what to finish or undo, and a change that was answered was saved before.
 */
export class ChangeExecutor {
  readonly #parts: Pick<KeyringParts, 'name' | 'vault' | 'store' | 'world'>;
  readonly #clock: TrustedClock;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    parts: Pick<KeyringParts, 'name' | 'vault' | 'store' | 'world'>,
    clock: TrustedClock,
  ) {
    this.#parts = parts;
    this.#clock = clock;
  }

  /** The newest state. Throws where it is gone: an open keyring never starts over empty. */
  current(): Versioned {
    const current = this.#parts.store.current();
    if (current !== null) return current;
    throw new AgentError(
      'backend_unavailable',
      `${this.#parts.store.location} is gone: put it back, the keyring goes on with it by itself`,
    );
  }

  run<T>(change: Change<T>): Promise<T> {
    const outcome = this.#last.then(() => this.#carryOut(change));
    this.#last = outcome.catch(() => null); // its caller hears of it; the next change starts all the same
    return outcome;
  }

  /** Settles when no change is under way. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async #carryOut<T>(change: Change<T>): Promise<T> {
    let newKey: KeyRecord | null = null;
    try {
      for (let attempt = 1; ; attempt += 1) {
        let before = this.current();
        if (newKey === null && change.needsKey(before.state)) {
          newKey = await this.#makeKey(change.make);
          before = this.current();
        }
        const next = change.activates?.(before.state) ?? null;
        if (next !== null) await this.#prove(next);
        // Made from the state that was looked at: whoever saved since then makes this a conflict.
        const outcome = await this.#commit(change, newKey, before).catch((failure: unknown) => {
          if (attempt < maxConflicts && isConflict(failure)) return null;
          throw failure;
        });
        if (outcome !== null) return outcome.result;
      }
    } catch (failure) {
      if (newKey !== null) await this.#undo([newKey]);
      throw failure;
    }
  }

  async #commit<T>(
    change: Change<T>,
    newKey: KeyRecord | null,
    before: Versioned,
  ): Promise<{ result: T }> {
    const { state, result } = change.apply(before.state, newKey);
    const unused = newKey !== null && !state.keys.has(newKey.kid) ? newKey : null;
    if (state !== before.state) {
      const gone = noLongerHeld(before.state, state);
      const next = newKey === null || unused !== null ? state : settle(state, [newKey.objectId]);
      const goneIds = gone.map((key) => key.objectId);
      await this.#write(announce(next, this.#steps('destroy', goneIds)), before.version);
      this.#parts.world.testPoint('change/saved');
      await this.#undo(gone);
    }
    if (unused !== null) await this.#undo([unused]);
    return { result };
  }

  /** Objects in a token can go, or be another's: a key that cannot sign must not become the active one. */
  async #prove(key: KeyRecord): Promise<void> {
    try {
      await proveKey(this.#parts, key);
      this.#parts.world.testPoint('change/proved');
    } catch (failure) {
      throw new AgentError(
        'backend_unavailable',
        `the prepared key ${key.kid} cannot sign, so nothing was changed; revoke it, then try again ` +
          `(${describeFailure(failure)})`,
        { cause: failure },
      );
    }
  }

  /**
   * An object id that no record has; null where nothing is reserved. The record of a revoked key keeps its id, and a
   * device whose ids have two bytes may have given that object's number back: nobody could tell which key a record means.
   */
  #reserve(): string | null {
    const { vault } = this.#parts;
    if (vault.reserve === null) return null;
    const { keys, pending } = this.current().state;
    const recorded = new Set([...keys.values(), ...pending].map(({ objectId }) => objectId));
    for (let attempt = 1; attempt <= mostReservations; attempt += 1) {
      const objectId = vault.reserve();
      if (!recorded.has(objectId)) return objectId;
    }
    throw new AgentError(
      'backend_unavailable',
      `keyring ${this.#parts.name} has ${recorded.size} records, and the device hardly an object id that none of them has`,
    );
  }

  /** A key that is proved but in no record yet, under a kid that no record has. */
  async #makeKey(make?: Change<unknown>['make']): Promise<KeyRecord> {
    const { vault, world } = this.#parts;
    // Announced while nothing can be had, a step would stay so until the next start, one more at each try. What is said to
    // be away may be back: a signature is what it takes to know.
    if (vault.outage !== null) await proveKey(this.#parts, activeKey(this.current().state));
    for (let attempt = 1; attempt <= maxCollisions; attempt += 1) {
      const objectId = this.#reserve();
      if (objectId !== null) {
        await this.#announce(this.#steps('generate', [objectId]));
        world.testPoint('change/announced');
      }
      const making = make === undefined ? vault.generate(objectId) : make(objectId);
      const made = await making.catch(async (failure: unknown) => {
        // What has that id already is not what was to be made.
        if (objectId !== null && isTaken(failure)) await this.#forget([objectId]);
        else if (objectId !== null) await this.#undo([{ objectId, publicKey: null }]);
        throw failure;
      });
      world.testPoint('change/generated');
      const kid = kidOf(made.publicKey);
      const { state } = this.current();
      const key = { ...made, kid, createdAt: formatTime(this.#clock.now(state)) };
      if (!state.keys.has(kid) && !state.graceUntil.has(kid) && !state.revoked.has(kid)) return key;
      if (make !== undefined) {
        await this.#undo([key]);
        throw takenKid(state, kid);
      }
      world.log.warn(
        { keyring: this.#parts.name, kid },
        'a new key has a kid that is taken: making another',
      );
      await this.#undo([key]);
    }
    throw new AgentError('internal', `${maxCollisions} new keys in a row had a kid that is taken`);
  }

  /**
   * Removes announced objects from the token, unless a record names them by now: a save may have failed only
   * after it had taken effect. What fails here stays announced, for the next start.
   */
  async #undo(objects: readonly Undone[]): Promise<void> {
    const { vault, world, name } = this.#parts;
    if (vault.reserve === null || objects.length === 0) return;
    const objectIds = objects.map(({ objectId }) => objectId);
    try {
      for (const { objectId, publicKey } of objects) {
        if (isHeld(this.current().state, objectId)) continue;
        await vault.destroy(objectId, publicKey);
        world.testPoint('change/destroyed');
      }
      await this.#save((state) => settle(state, objectIds));
      world.testPoint('change/settled');
    } catch (failure) {
      world.log.error(
        { keyring: name, object_ids: objectIds, reason: describeFailure(failure) },
        'could not remove objects from the token: the next start tries again',
      );
    }
  }

  /** Takes an announcement back, with nothing removed. */
  async #forget(objectIds: readonly string[]): Promise<void> {
    await this.#save((state) => settle(state, objectIds));
  }

  #steps(step: PendingStep['step'], objectIds: readonly string[]): readonly PendingStep[] {
    if (this.#parts.vault.reserve === null) return [];
    const since = formatTime(this.#clock.now(this.current().state));
    return objectIds.map((objectId) => ({ step, objectId, since }));
  }

  async #announce(steps: readonly PendingStep[]): Promise<void> {
    await this.#save((state) => announce(state, steps));
  }

  async #save(next: (state: KeyringState) => KeyringState): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const { state, version } = this.current();
      try {
        await this.#write(next(state), version);
        return;
      } catch (failure) {
        if (attempt >= maxConflicts || !isConflict(failure)) throw failure;
      }
    }
  }

  /** Every save keeps the latest time. */
  async #write(state: KeyringState, expected: string): Promise<void> {
    await this.#parts.store.save(withLatestTime(state, this.#clock.now(state)), expected);
  }
}

/** What is removed from the token; `publicKey` null where it is not known. */
interface Undone {
  readonly objectId: string;
  readonly publicKey: Uint8Array | null;
}

function isTaken(failure: unknown): boolean {
  return failure instanceof AgentError && failure.kind === 'already_exists';
}

function isConflict(failure: unknown): boolean {
  return failure instanceof AgentError && failure.kind === 'conflict';
}

/** Keys whose private half nobody may use any more: their record went, or they were revoked. */
function noLongerHeld(before: KeyringState, after: KeyringState): readonly KeyRecord[] {
  return heldKeys(before).filter((key) => !isHeld(after, key.objectId));
}
