import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { openLibc } from '../../src/native/libc.ts';
import { durableFiles } from '../../src/state/durable-files.ts';
import type { World } from '../../src/world.ts';

/** A clock that moves only when it is told to. */
export class Clock {
  #now: number;

  constructor(start = Date.UTC(2026, 4, 14, 17, 55)) {
    this.#now = start;
  }

  readonly now = (): number => this.#now;

  advance(seconds: number): void {
    this.#now += seconds * 1000;
  }
}

/** The real world but for its clock; its log is silent. */
export function worldWith(clock: Clock): World {
  return {
    now: clock.now,
    elapsed: () => performance.now(),
    randomBytes,
    files: durableFiles(openLibc()),
    log: pino({ level: 'silent' }),
    reached: () => undefined,
  };
}
