import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { randomChange, type Move, killedAtChanges } from '../support/key-moves.ts';
import { inParallel, Dice, plannedKills, seeded, type HostStep } from '../support/kill-plan.ts';
import { KillRig } from '../support/kill-rig.ts';

/** Vault hosts are killed alone: the agent goes on by itself. */

type Failpoint = `${HostStep}:${number}`;

/** Each host ends at its nth step of that name, so each life of the agent sees many die. */
const failpoints: readonly Failpoint[] = [
  'host/generated:1',
  'host/generated:2',
  'host/destroyed:1',
  'host/destroyed:2',
  'host/sealed:1',
  'host/sealed:2',
  'host/sealed:3',
];

const moves: readonly Move[] = [
  'rotate',
  'replace',
  'prepare',
  'rotate',
  'prune',
  'revoke grace',
  'revoke active',
  'prepare',
  'revoke prepared',
  'replace',
  'prune',
];

test('the vault host is killed at every step of every change', async () => {
  const kills = await inParallel(failpoints, (failpoint) =>
    KillRig.with(async (rig) => {
      await killedAtChanges(rig, failpoint, moves);
      await rig.start();
      await rig.kill('agent');
      await rig.compareToken();
    }),
  );
  expect(kills).toBeGreaterThanOrEqual(plannedKills.stepsOfHost);
});

test('the vault host is killed as a keyring begins', async () => {
  const first: readonly Failpoint[] = ['host/sealed:1', 'host/sealed:2', 'host/generated:1'];
  const kills = await inParallel(first, (failpoint) =>
    KillRig.with(async (rig) => {
      // Where a host dies twice the start may be given up; the next one begins where it ended.
      if (await rig.startIfPossible({ failpoint })) await rig.kill('agent');
      await rig.compareToken();
      await rig.start();
      await rig.kill('agent');
      await rig.compareToken();
    }),
  );
  expect(kills).toBeGreaterThanOrEqual(plannedKills.hostAtFirstStart);
});

test('the vault host is killed at any moment', () =>
  seeded(async (seed) => {
    const workers = 3;
    const rounds = Math.ceil(plannedKills.randomHost / workers);
    const kills = await inParallel([...Array(workers).keys()], (worker) =>
      KillRig.with(async (rig) => {
        const dice = new Dice(seed + worker);
        await rig.start();
        let isDone = false;
        const signers = Promise.all(
          [1, 2].map((one) => rig.signing(new Dice(seed - one), () => isDone)),
        );
        const changes = (async () => {
          for (let round = 0; round < rounds; round += 1) {
            const answer = rig.change(randomChange(rig.ledger, dice));
            await sleep(dice.below(50));
            await rig.kill('host');
            expect(await answer).not.toBe('lost');
            await rig.check();
          }
          isDone = true;
        })();
        await Promise.all([signers, changes]);
        await rig.finish();
      }),
    );
    expect(kills).toBeGreaterThanOrEqual(plannedKills.randomHost);
  }));
