import { setTimeout as sleep } from 'node:timers/promises';
import { randomChange } from '../../support/key-moves.ts';
import type { Dice } from '../../support/kill-plan.ts';
import type { KillRig, Victim } from '../../support/kill-rig.ts';
import { ForeignObjects } from '../foreign-objects.ts';
import { randomRounds } from '../selection.ts';
import { withKillRig } from './kills.ts';
import type { Step } from './step.ts';

const mostChanges = 5;
/** Milliseconds within which a change is caught under way on the slowest of the devices. */
const moment = 120;

type Ending = (rig: KillRig, dice: Dice) => Promise<void>;

/** How a life of the agent ends. */
const endings: Readonly<Record<string, Ending>> = {
  'in order': (rig) => rig.stop(),
  'killed at rest': (rig) => rig.kill('agent'),
  'killed under way': async (rig, dice) => {
    const changing = rig.change(randomChange(rig.ledger, dice));
    await sleep(dice.below(moment));
    const victim = dice.pick<Victim>(['agent', 'both']);
    await rig.kill(rig.life.hostIsOpen ? victim : 'agent'); // the agent may be between two hosts
    await changing;
  },
  'its host killed under way': async (rig, dice) => {
    const changing = rig.change(randomChange(rig.ledger, dice));
    await sleep(dice.below(moment));
    await rig.killHost();
    await changing;
    await rig.check({ pending: true });
    await rig.stop();
  },
};

export const randomSteps: readonly Step[] = [
  {
    title:
      "random changes and kills, with another program's objects first and going: nothing is lost",
    timeout: 60_000 + randomRounds * 20_000,
    run: async (suite) => {
      await withKillRig(suite, async (rig, dice, { program }) => {
        const foreign = new ForeignObjects(suite.device, program);
        await foreign.add();
        for (let round = 0; round < randomRounds; round += 1) {
          await rig.start();
          const changes = dice.below(mostChanges + 1);
          for (let change = 0; change < changes; change += 1) {
            await rig.change(randomChange(rig.ledger, dice));
          }
          const [name, end] = dice.pick(Object.entries(endings));
          rig.note(`round ${round}: ${name}`);
          await end(rig, dice);
          await rig.compareToken();
          // Between two lives, as whoever else uses the token does.
          if (dice.below(2) === 0) rig.note(`removed: ${await foreign.removeOldest()}`);
          if (foreign.count === 0 && dice.below(2) === 0) await foreign.add();
          await foreign.check();
        }
        await rig.start();
        await rig.finish();
        await foreign.check();
        const { changes, kills } = rig;
        suite.counted = { changes, kills };
      });
    },
  },
];
