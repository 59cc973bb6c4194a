import { AgentError, describeFailure } from '../base/errors.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { World } from '../base/world.ts';
import { journaled, type ChangeJournal, type OwnChange } from './change-journal.ts';
import { pruning } from './requested-changes.ts';
import type { KeyringFailure } from './health.ts';
import type { ChangeExecutor } from './change-executor.ts';
import {
  largestJitter,
  nextChange,
  type RotationPolicy,
  type ScheduledChange,
} from './rotation-schedule.ts';
import { scheduledActivation, scheduledPreparation } from './scheduled-changes.ts';
import type { TrustedClock } from './trusted-clock.ts';

/** First and longest wait before a change that failed is tried again, milliseconds. */
const firstRetry = 1000;
const longestRetry = 300_000;
/** What one look may do: prune, prepare, activate, and once more what that left to be pruned. */
const mostChanges = 4;

export interface RotationParts {
  readonly name: string;
  readonly policy: RotationPolicy;
  readonly changes: ChangeExecutor;
  readonly clock: TrustedClock;
  readonly world: World;
  /** Rejects where nothing can be had from the vault: each try would leave an announced step behind. */
  readonly ready: () => Promise<void>;
  readonly journal?: ChangeJournal | undefined;
  /** See KeyringParts. */
  readonly changed: () => Promise<void>;
}

/**
 * Rotation by itself: makes the changes of the schedule when they are due. One that fails is tried again, ever
 * less often, and meanwhile the old key goes on signing.
 */
export class ChangeScheduler {
  readonly policy: RotationPolicy;
  readonly #parts: RotationParts;
  /** The jitter of a change is drawn once. */
  #drawn = { change: '', jitter: 0 };
  /** `change` null: the records could not be read. `retryAt` is on the monotonic clock. */
  #failed: { readonly change: string | null; wait: number; retryAt: number } | null = null;
  #lastFailure: KeyringFailure | null = null;

  constructor(parts: RotationParts) {
    this.policy = parts.policy;
    this.#parts = parts;
  }

  /** How the change that is due failed last; null where none is overdue. */
  get lastFailure(): KeyringFailure | null {
    return this.#lastFailure;
  }

  /** Makes the changes that are due. Never rejects. */
  async run(): Promise<void> {
    for (let made = 0; made < mostChanges && (await this.#makeNext()); made += 1);
  }

  /** Milliseconds until the next change is due or is tried again; negative where it is overdue. */
  wait(): number {
    const { changes, clock, world } = this.#parts;
    if (this.#failed !== null) return this.#failed.retryAt - world.monotonicNow();
    try {
      const { state } = changes.current();
      return this.#dueAt(nextChange(state, this.policy)) - clock.now(state);
    } catch {
      return 0; // `run` meets the same, and says so
    }
  }

  /** Whether there may be more to do. */
  async #makeNext(): Promise<boolean> {
    const { changes, clock } = this.#parts;
    let change: ScheduledChange | null = null;
    try {
      const { state } = changes.current();
      change = nextChange(state, this.policy);
      if (this.#failed?.change !== nameOf(change)) this.#forgetFailure();
      if (clock.now(state) < this.#dueAt(change) || this.#isWaiting()) return false;
      await this.#make(change);
      await this.#parts.changed();
      this.#forgetFailure();
      return true;
    } catch (failure) {
      this.#fail(change, failure);
      return false;
    }
  }

  async #make(change: ScheduledChange): Promise<void> {
    const { name, changes, clock, world, ready } = this.#parts;
    await ready();
    const now = clock.now.bind(clock);
    const told = (result: object | null, done: string): void => {
      if (result !== null) world.log.info({ keyring: name, ...result }, `${done} on schedule`);
      world.testPoint(`rotation/${done}`);
    };
    switch (change.what) {
      case 'prepare':
        told(
          await this.#journaled(
            'prepare',
            () => changes.run(scheduledPreparation(now, this.policy, change)),
            (made) => madeOrNot(made?.kid),
          ),
          'prepared',
        );
        return;
      case 'activate':
        told(
          await this.#journaled(
            'rotate',
            () => changes.run(scheduledActivation(now, this.policy, change)),
            (made) => madeOrNot(made?.new_active_kid),
          ),
          'activated',
        );
        return;
      case 'prune': {
        const kids = await this.#journaled(
          'prune_expired_grace',
          () => changes.run(pruning(now)),
          (pruned) => ({ kid: null, reason: `pruned: ${pruned.join(', ') || 'none'}` }),
        );
        told({ kids }, 'pruned');
      }
    }
  }

  #journaled<T>(
    method: OwnChange['method'],
    make: () => Promise<T>,
    told: (result: T) => { readonly kid: string | null; readonly reason: string | null },
  ): Promise<T> {
    const { name: keyring, journal } = this.#parts;
    return journaled(journal, { keyring, method }, make, told);
  }

  /** Milliseconds since the epoch. */
  #dueAt(change: ScheduledChange): number {
    const name = nameOf(change);
    if (this.#drawn.change !== name) {
      this.#drawn = { change: name, jitter: this.#random() * largestJitter(this.policy) };
    }
    return change.at + this.#drawn.jitter;
  }

  #isWaiting(): boolean {
    return this.#failed !== null && this.#parts.world.monotonicNow() < this.#failed.retryAt;
  }

  #fail(change: ScheduledChange | null, thrown: unknown): void {
    const { name, world } = this.#parts;
    const named = change === null ? null : nameOf(change);
    if (this.#failed?.change === named && this.#isWaiting()) return;
    const wait =
      this.#failed?.change === named ? Math.min(this.#failed.wait * 2, longestRetry) : firstRetry;
    const retryIn = Math.ceil(wait * (1 - this.#random() / 4));
    this.#failed = { change: named, wait, retryAt: world.monotonicNow() + retryIn };
    this.#lastFailure = {
      kind: thrown instanceof AgentError ? thrown.kind : 'internal',
      message: `${failedWords[change?.what ?? 'read']}: ${describeFailure(thrown)}`,
      at: formatTime(world.now()),
    };
    world.log.error(
      { keyring: name, reason: describeFailure(thrown), retry_after_ms: retryIn },
      `${failedWords[change?.what ?? 'read']}: the old key goes on, and it is tried again`,
    );
  }

  #forgetFailure(): void {
    this.#failed = null;
    this.#lastFailure = null;
  }

  /** From 0 to 1, without 1. */
  #random(): number {
    return this.#parts.world.randomBytes(4).readUInt32BE() / 2 ** 32;
  }
}

function madeOrNot(kid: string | undefined): { kid: string | null; reason: string | null } {
  return kid === undefined
    ? { kid: null, reason: 'somebody else had done it by then' }
    : { kid, reason: null };
}

const failedWords = {
  prepare: 'the next key could not be prepared on schedule',
  activate: 'the prepared key could not be activated on schedule',
  prune: 'keys whose grace has ended could not be removed on schedule',
  read: 'the rotation schedule could not be read from the records',
} as const;

function nameOf({ what, kid, at }: ScheduledChange): string {
  return `${what} ${kid} ${at}`;
}
