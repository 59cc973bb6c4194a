import type { DeviceRig } from '../device-rig.ts';
import type { ForeignObjects } from '../foreign-objects.ts';

/** What is asked of every module. */
export interface Step {
  /** What happens; the same in the results and in the documents. */
  readonly title: string;
  /** Milliseconds, where a minute may be too short. */
  readonly timeout?: number;
  run(rig: DeviceRig, foreign: ForeignObjects): Promise<void>;
}
