import type { World } from '../base/world.ts';
import type { ChangeScheduler } from './change-scheduler.ts';
import type { TimeKeeper } from './time-keeper.ts';

/** A suspended machine, a clock that jumps and edits by other programs are noticed this soon, milliseconds. */
const longestWait = 2000;
const shortestWait = 20;

export interface UpkeepParts {
  readonly world: World;
  readonly rotation: ChangeScheduler | null;
  readonly time: TimeKeeper;
}

/** What an open keyring does by itself, from a timer. */
export class Upkeep {
  readonly #parts: UpkeepParts;
  #running: Promise<void> | null = null;
  #cancel: (() => void) | null = null;
  #stopped = false;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  /** From now on it looks at least every two seconds, until it is stopped. */
  start(): void {
    if (this.#stopped) return;
    const { world, rotation } = this.#parts;
    const wait = Math.max(shortestWait, Math.min(longestWait, rotation?.wait() ?? longestWait));
    this.#cancel?.();
    this.#cancel = world.schedule(wait, () => {
      void this.run().finally(() => {
        this.start();
      });
    });
  }

  /** Does what is due. One that runs already is waited for instead. Never rejects. */
  run(): Promise<void> {
    if (this.#stopped) return this.#running ?? Promise.resolve();
    this.#running ??= this.#work().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Settles when a change under way has ended; none is begun any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#running;
  }

  async #work(): Promise<void> {
    await this.#parts.rotation?.run();
    if (!this.#stopped) await this.#parts.time.run();
  }
}
