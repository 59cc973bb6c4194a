import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { Dice, seeded } from '../../support/kill-plan.ts';
import { KillRig } from '../../support/kill-rig.ts';
import { rigToken, type DeviceRig } from '../device-rig.ts';
import type { DeviceToken } from '../device.ts';
import type { Step } from './step.ts';

const kills = 4;
const grace = 3600;

/** On another token of the same kind. */
export async function withKillRig(
  { device, algorithm }: DeviceRig,
  work: (rig: KillRig, dice: Dice, token: DeviceToken) => Promise<void>,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'device-kills-'));
  const made = await device.make();
  const token = rigToken(device, made, join(folder, 'pin'));
  let count = 0;
  try {
    await seeded(async (seed) => {
      const done = (rig: KillRig): Promise<void> => work(rig, new Dice(seed), made);
      count = await KillRig.with(done, algorithm, token);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return count;
}

export const killSteps: readonly Step[] = [
  {
    title:
      'the agent is killed while it rotates: no acknowledged key is lost, and none is left over',
    timeout: 120_000,
    run: async (rig) => {
      const made = await withKillRig(rig, async (killed, dice) => {
        for (let round = 0; round < kills; round += 1) {
          await killed.start();
          const rotating = (async () => {
            while ((await killed.change({ do: 'rotate', grace })) !== 'lost');
          })();
          await Promise.race([rotating, sleep(dice.below(250))]);
          await killed.kill(killed.life.hostIsOpen ? dice.pick(['agent', 'both']) : 'agent');
          await rotating;
          await killed.compareToken();
        }
        await killed.start();
        await killed.finish();
      });
      expect(made).toBeGreaterThanOrEqual(kills);
    },
  },
  {
    title: 'the vault host is killed while it rotates: the agent goes on by itself',
    timeout: 120_000,
    run: async (rig) => {
      const made = await withKillRig(rig, async (killed, dice) => {
        await killed.start();
        for (let round = 0; round < kills; round += 1) {
          const answer = killed.change({ do: 'rotate', grace });
          await sleep(dice.below(80));
          await killed.kill('host');
          expect(await answer).not.toBe('lost');
          await killed.check({ pending: true });
        }
        await killed.check();
        await killed.finish();
      });
      expect(made).toBeGreaterThanOrEqual(kills);
    },
  },
];
