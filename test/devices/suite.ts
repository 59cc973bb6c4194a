import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Device } from './device.ts';
import { algorithmsOf } from './selection.ts';
import { DeviceRig, type Counted } from './device-rig.ts';
import { ForeignObjects } from './foreign-objects.ts';
import { keySteps } from './steps/keys.ts';
import { killSteps } from './steps/kills.ts';
import { loadSteps } from './steps/load.ts';
import { pinSteps } from './steps/pins.ts';
import { randomSteps } from './steps/random.ts';
import { recordSteps } from './steps/records.ts';
import type { Step } from './steps/step.ts';

/** One after the other: what a step leaves in the token is there for the next. */
const steps: readonly Step[] = [
  ...keySteps,
  ...loadSteps,
  ...pinSteps,
  ...recordSteps,
  ...killSteps,
  ...randomSteps,
];

/** Runs every step on a new token of the device, once an algorithm. Another program's objects are in it first. */
export function deviceSuite(device: Device): void {
  describe.each(algorithmsOf(device))(`${device.name} %s`, (algorithm) => {
    let rig: DeviceRig;
    let foreign: ForeignObjects;
    beforeAll(async () => {
      const reason = device.unavailable();
      if (reason !== null) throw new Error(reason);
      rig = new DeviceRig(device, algorithm, await device.make());
      foreign = new ForeignObjects(device, rig.token.program);
      await foreign.add();
    });
    afterAll(async () => {
      await (rig as DeviceRig | undefined)?.remove();
    });

    test('what it is', async ({ task }) => {
      const [info] = await rig.token.program.run({ do: 'info' });
      task.meta.device = { ...(info as { library: string; token: string }), name: device.name };
    });
    for (const step of steps) {
      const { title, timeout } = step;
      test(title, timeout === undefined ? {} : { timeout }, async ({ task }) => {
        await step.run(rig, foreign);
        if (rig.counted !== null) task.meta.counted = rig.counted;
      });
    }
  });
}

declare module 'vitest' {
  interface TaskMeta {
    /** Of random changes and kills, where they were made. */
    counted?: Counted;
    /** What the module says of itself and of its token. */
    device?: { readonly name: string; readonly library: string; readonly token: string };
  }
}
