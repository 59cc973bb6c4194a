import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { AlgorithmName } from '../../src/api/signing-backend.ts';
import { randomChange } from '../support/key-moves.ts';
import { inParallel, Dice, plannedKills, seeded } from '../support/kill-plan.ts';
import { KillRig } from '../support/kill-rig.ts';

/** A client changes keys, others sign, and the agent is killed at any moment, alone or with its vault host. */

const algorithms: readonly AlgorithmName[] = ['ed25519', 'ed25519', 'ed25519', 'es256'];

test('the agent is killed at any moment', () =>
  seeded(async (seed) => {
    const rounds = plannedKills.randomAgent / algorithms.length;
    const kills = await inParallel([...algorithms.entries()], ([worker, algorithm]) =>
      KillRig.with(async (rig) => {
        const dice = new Dice(seed + worker);
        for (let round = 0; round < rounds; round += 1) {
          await rig.start();
          const changing = (async () => {
            while ((await rig.change(randomChange(rig.ledger, dice))) !== 'lost');
          })();
          const signers = [1, 2].map((one) => rig.signing(new Dice(seed - one), () => false));
          const work = Promise.all([changing, ...signers]);
          await Promise.race([work, sleep(dice.below(150))]); // a signer that fails ends the round
          await rig.kill(dice.pick(['agent', 'agent', 'both']));
          await work;
          await rig.compareToken();
        }
        await rig.start();
        await rig.finish();
      }, algorithm),
    );
    expect(kills).toBeGreaterThanOrEqual(plannedKills.randomAgent);
  }));
