import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { changeOf } from '../support/key-moves.ts';
import { inParallel, Dice, plannedKills, seeded, type AgentStep } from '../support/kill-plan.ts';
import { KillRig } from '../support/kill-rig.ts';

/** The agent is killed while it starts: at the first start, while it repairs, and while its host logs in. */

const firstSteps: readonly AgentStep[] = [
  'start/sealed',
  'start/begun',
  'change/announced',
  'change/generated',
  'change/saved',
];

test('the agent is killed at every step of its first start', async () => {
  const kills = await inParallel(firstSteps, (step) =>
    KillRig.with(async (rig) => {
      rig.begin({ failpoint: `${step}:1` });
      await rig.killed();
      await rig.compareToken();
      await rig.start();
      expect(rig.ledger.keys.size).toBe(1);
      await rig.kill('agent');
      await rig.compareToken();
    }),
  );
  expect(kills).toBeGreaterThanOrEqual(plannedKills.stepsOfFirstStart);
});

test('the agent is killed at every step of a repair', async () => {
  const halfDone = [
    { move: 'rotate', step: 'change/generated', outcome: 'unchanged' },
    { move: 'revoke active', step: 'change/saved', outcome: 'changed' },
  ] as const;
  const kills = await inParallel(halfDone, ({ move, step, outcome }) =>
    KillRig.with(async (rig) => {
      await rig.start();
      await rig.kill('agent');
      await rig.start({ failpoint: `${step}:1` });
      const change = changeOf(move, rig.ledger);
      expect(change !== null && (await rig.change(change))).toBe('lost');
      await rig.killed();
      for (const repairing of ['start/sealed', 'start/destroyed', 'start/settled'] as const) {
        rig.begin({ failpoint: `${repairing}:1` });
        await rig.killed();
        await rig.compareToken();
      }
      expect(await rig.start()).toBe(outcome);
      await rig.finish();
    }),
  );
  expect(kills).toBeGreaterThanOrEqual(plannedKills.stepsOfRepair);
});

test('the agent is killed at any moment of its start', () =>
  seeded(async (seed) => {
    const workers = 4;
    const rounds = plannedKills.start / workers;
    const kills = await inParallel([...Array(workers).keys()], (worker) =>
      KillRig.with(async (rig) => {
        const dice = new Dice(seed + worker);
        // Every other keyring is killed at from its very first start.
        let times = { host: 300, ready: 600 };
        if (worker % 2 === 0) {
          times = await timedStart(rig, false);
          await rig.kill('agent');
        }
        for (let round = 1; round <= rounds; round += 1) {
          const plain = dice.below(3) === 0;
          rig.begin({ plain });
          let unlocking: Promise<unknown> | null = null;
          if (dice.below(3) === 0) {
            await sleep(dice.part() * times.ready);
          } else {
            // Somewhere before the token is open, the login among it.
            ({ unlocking } = await rig.hostRuns());
            await sleep(dice.part() * (times.ready - times.host));
          }
          await rig.kill('agent');
          await unlocking;
          if (round % 5 !== 0) continue;
          await rig.compareToken();
          times = await timedStart(rig, plain);
          // The next starts have something to repair.
          const change = changeOf(dice.pick(['rotate', 'replace']), rig.ledger);
          const answer = change === null ? null : rig.change(change);
          await sleep(dice.below(40));
          await rig.kill('agent');
          await answer;
        }
        await timedStart(rig, false);
        await rig.finish();
      }),
    );
    expect(kills).toBeGreaterThanOrEqual(plannedKills.start);
  }));

/** How long it takes on this machine until the vault host runs, and until the agent is ready, milliseconds. */
async function timedStart(rig: KillRig, plain: boolean): Promise<{ host: number; ready: number }> {
  const begun = performance.now();
  const life = rig.begin({ plain });
  const { unlocking } = await rig.hostRuns();
  const host = performance.now() - begun;
  await life.until('ready', () => life.isReady);
  await unlocking;
  const ready = performance.now() - begun;
  await rig.check();
  return { host, ready };
}
