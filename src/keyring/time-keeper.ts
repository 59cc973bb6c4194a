import { describeFailure } from '../base/errors.ts';
import type { World } from '../base/world.ts';
import type { ChangeExecutor } from './change-executor.ts';
import { mustKeepTime, mustKeepTimeAtEnd, mustKeepTimeInFile } from './latest-time.ts';
import type { KeyringState } from '../vault/key-records.ts';
import type { TrustedClock } from './trusted-clock.ts';

/** After a failure, milliseconds. */
const retryAfter = 60_000;

export interface TimeKeeperParts {
  readonly name: string;
  readonly changes: ChangeExecutor;
  readonly clock: TrustedClock;
  readonly world: World;
  /** The records are a file of other programs too: it is not written without need. */
  readonly shared: boolean;
}

/** Writes the latest time into the records where nothing else is about to: every save does it anyway. */
export class TimeKeeper {
  readonly #parts: TimeKeeperParts;
  readonly #opened: number;
  #retryAt = -Infinity;

  constructor(parts: TimeKeeperParts) {
    this.#parts = parts;
    this.#opened = parts.world.now();
  }

  /** Never rejects. */
  async run(): Promise<void> {
    if (this.#parts.world.monotonicNow() >= this.#retryAt) await this.#keepWhere(mustKeepTime);
  }

  /** At the end of the agent. Never rejects. */
  async runLast(): Promise<void> {
    await this.#keepWhere(mustKeepTimeAtEnd);
  }

  async #keepWhere(must: (state: KeyringState, now: number) => boolean): Promise<void> {
    const { name, changes, clock, world, shared } = this.#parts;
    const isDue = (state: KeyringState): boolean => {
      const now = clock.now(state);
      return shared ? mustKeepTimeInFile(state, now, this.#opened) : must(state, now);
    };
    try {
      if (!isDue(changes.current().state)) return;
    } catch {
      return; // records that cannot be read are told of by everything that needs them
    }
    try {
      await changes.run({
        needsKey: () => false,
        // Another state, though nothing of it changes: saving puts the time into it.
        apply: (state) => ({ state: isDue(state) ? { ...state } : state, result: null }),
      });
    } catch (failure) {
      this.#retryAt = world.monotonicNow() + retryAfter;
      world.log.warn(
        { keyring: name, reason: describeFailure(failure) },
        'the latest time could not be kept: a clock set back before the next start would go unnoticed',
      );
    }
  }
}
