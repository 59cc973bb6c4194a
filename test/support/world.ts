import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { openLibc } from '../../src/native/libc.ts';
import { durableFiles } from '../../src/files/durable-files.ts';
import type { World } from '../../src/base/world.ts';

/** A clock that moves only when it is told to. */
export class Clock {
  #now: number;
  #monotonicNow = 0;

  constructor(start = Date.UTC(2026, 4, 14, 17, 55)) {
    this.#now = start;
  }

  readonly now = (): number => this.#now;

  /** Milliseconds on the monotonic clock: it only follows `advance`. */
  readonly monotonicNow = (): number => this.#monotonicNow;

  advance(seconds: number): void {
    this.#now += seconds * 1000;
    this.#monotonicNow += seconds * 1000;
  }

  /** As somebody sets a clock, forward or (negative) back: no time passes. */
  set(seconds: number): void {
    this.#now += seconds * 1000;
  }
}

/** The real world but for its clock; its log is silent. */
export function worldWith(clock: Clock): World {
  return {
    now: clock.now,
    monotonicNow: clock.monotonicNow,
    // Nothing happens by itself beside a clock that stands still: tests say `keyring.upkeep()`.
    schedule: () => () => undefined,
    pause: (milliseconds) => sleep(milliseconds),
    randomBytes,
    files: durableFiles(openLibc()),
    log: pino({ level: 'silent' }),
    testPoint: () => undefined,
  };
}
