import { parseTime, formatTime } from '../base/rfc3339.ts';
import type { World } from '../base/world.ts';
import type { KeyringState } from '../vault/key-records.ts';

/** How far behind a clock has to be for anybody to be told, milliseconds: small corrections are daily business. */
const noticeable = 1000;

/**
 * The time that keys are judged by. It never goes back, so that a clock that is set back revives no key and
 * extends no grace; and it never stands still, since a grace must end all the same: behind the latest time that
 * was ever seen, here or by whoever wrote the records, it goes on with the monotonic clock.
 */
export class TrustedClock {
  readonly #world: Pick<World, 'now' | 'monotonicNow' | 'log'>;
  readonly #keyring: string;
  #latest = -Infinity;
  /** What the time was at a moment of the monotonic clock: from there it goes on. */
  #base = { time: -Infinity, at: 0 };
  #recorded: { readonly text: string | null; readonly time: number } = {
    text: null,
    time: -Infinity,
  };
  #behindIsKnown = false;

  constructor(world: Pick<World, 'now' | 'monotonicNow' | 'log'>, keyring: string) {
    this.#world = world;
    this.#keyring = keyring;
  }

  /** Milliseconds since the epoch; never less than before, nor than the latest time of these records. */
  now({ latestTime }: Pick<KeyringState, 'latestTime'>): number {
    const wall = this.#world.now();
    const at = this.#world.monotonicNow();
    const recorded = this.#timeOf(latestTime);
    const goneOn = this.#base.time + Math.max(0, Math.floor(at - this.#base.at));
    // The last: a clock may have been set back and have passed the latest time again since anybody asked.
    if (wall >= this.#latest && wall >= recorded && goneOn - wall < noticeable) {
      this.#latest = wall;
      this.#base.time = wall;
      this.#base.at = at;
      this.#behindIsKnown = false;
      return wall;
    }
    if (recorded > goneOn) this.#base = { time: recorded, at };
    this.#latest = Math.max(this.#latest, recorded, goneOn);
    this.#report(wall);
    return this.#latest;
  }

  /** How far the clock is behind the latest time of these records, milliseconds; negative where it is ahead. */
  behind({ latestTime }: Pick<KeyringState, 'latestTime'>): number {
    return this.#timeOf(latestTime) - this.#world.now();
  }

  /** Somebody has said already that the clock is behind. */
  behindIsKnown(): void {
    this.#behindIsKnown = true;
  }

  #report(wall: number): void {
    if (this.#behindIsKnown || this.#latest - wall < noticeable) return;
    this.#behindIsKnown = true;
    this.#world.log.warn(
      { keyring: this.#keyring, clock: formatTime(wall), latest_time: formatTime(this.#latest) },
      'the clock was set back: keys go by the latest time that was seen, until the clock has come up to it',
    );
  }

  /** Every operation asks, and the records seldom change. */
  #timeOf(text: string | null): number {
    if (text === this.#recorded.text) return this.#recorded.time;
    const instant = text === null ? null : parseTime(text);
    const time = instant === null ? -Infinity : instant.ms + (instant.nanos > 0 ? 1 : 0);
    this.#recorded = { text, time };
    return time;
  }
}
