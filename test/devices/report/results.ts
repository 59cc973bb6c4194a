/** What the device suite last found of each module: written by its reporter, read by scripts/hardware-page.js. */

import type { Counted } from '../device-rig.ts';

export interface StepResult {
  readonly title: string;
  readonly outcome: 'passed' | 'failed' | 'not run';
}

export interface DeviceResult {
  /** As in devices.ts. */
  readonly device: string;
  readonly algorithm: string;
  readonly title: string;
  readonly emulator: string | null;
  /** The module and the token in their own words; null where it did not come so far. */
  readonly library: string | null;
  readonly token: string | null;
  /** The day, RFC 3339. */
  readonly date: string;
  /** Rounds of random changes and kills. */
  readonly rounds: number;
  /** What those came to; null where they did not come to their end. */
  readonly counted: Counted | null;
  readonly differences: readonly string[];
  readonly steps: readonly StepResult[];
}

export interface NotRun {
  readonly device: string;
  readonly algorithm: string;
  readonly reason: string;
}

export interface Results {
  readonly ran: readonly DeviceResult[];
  readonly notRun: readonly NotRun[];
}

const of = (counted: Counted | null): string =>
  counted === null ? '' : ` (${counted.changes} changes, ${counted.kills} kills)`;

/** A line a device, for the end of a run. */
export function summary({ ran, notRun }: Results): readonly string[] {
  const count = (steps: readonly StepResult[], outcome: StepResult['outcome']): number =>
    steps.filter((step) => step.outcome === outcome).length;
  return [
    ...ran.map(({ device, algorithm, emulator, library, steps, rounds, counted }) => {
      const [passed, failed] = [count(steps, 'passed'), count(steps, 'failed')];
      const behind = emulator === null ? '' : ` (emulated: ${emulator})`;
      return (
        `device ${device} ${algorithm}: ${passed} passed, ${failed} failed, ${rounds} random rounds${of(counted)}; ` +
        `${library ?? 'not reached'}${behind}`
      );
    }),
    ...notRun.map(
      ({ device, algorithm, reason }) => `device ${device} ${algorithm}: not run: ${reason}`,
    ),
  ];
}
