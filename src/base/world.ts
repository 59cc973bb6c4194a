import type { Logger } from 'pino';
import type { Files } from './files.ts';

/**
 * What the pure parts may not reach for themselves: time, randomness, files and the log.
 * Made once in `bin/`; tests hand in their own clock or faults.
 */
export interface World {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Milliseconds on the monotonic clock (CLOCK_MONOTONIC), from an arbitrary start. */
  readonly monotonicNow: () => number;
  /**
   * Calls `act` once, so many milliseconds from now; answers with what cancels it. The process does not stay
   * alive for it.
   */
  readonly schedule: (milliseconds: number, act: () => void) => () => void;
  /** Resolves that many milliseconds from now. The process stays alive for it: something waits. */
  readonly pause: (milliseconds: number) => Promise<void>;
  /** That many bytes from the operating system's generator. */
  readonly randomBytes: (size: number) => Buffer;
  readonly files: Files;
  readonly log: Logger;
  /**
   * Called with the name of a step, such as `change/saved`, when it has just been done. Does nothing, but in
   * tests, which end the process there.
   */
  readonly testPoint: (step: string) => void;
}
