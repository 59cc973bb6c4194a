import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { AlgorithmName } from '../../src/api/signing-backend.ts';
import { randomChange, type Move, killedAtChanges } from '../support/key-moves.ts';
import { Dice, seeded, tpmSteps, type HostStep, type TpmStep } from '../support/kill-plan.ts';
import { KillRig, type RigToken } from '../support/kill-rig.ts';
import { startSwtpm } from '../support/swtpm.ts';
import { keyFilesIn } from '../support/tpm-files.ts';

/** Agent and vault host are killed with keys in a TPM: what was acknowledged is there, and nothing is left over. */

async function tpmToken(pin: string | null): Promise<RigToken> {
  const tpm = await startSwtpm();
  const pinFile = join(tpm.dir, 'pin');
  if (pin !== null) writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  const pinSource = pin === null ? '' : `pin-source = "file:${pinFile}"\n`;
  return {
    place: `backend = "tpm"\ndevice = "${tpm.device}"\npcrs = [7]\n${pinSource}`,
    environment: {},
    keyring: '',
    launcher: [],
    keepsSeal: true,
    objects: (stateDir) => Promise.resolve(keyFilesIn(stateDir)),
    remove: () => tpm.remove(),
  };
}

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
  'prune',
];

describe.each<AlgorithmName>(['es256', 'ed25519'])('%s in a TPM', (algorithm) => {
  // Without a PIN: two logins that are cut off in a row lock a keyring that has one.
  test('the vault host is killed at every step of a first start', async () => {
    for (const step of [...tpmSteps, 'host/sealed', 'host/generated'] as const) {
      await KillRig.with(
        async (rig) => {
          const failpoint = `${step}:1` as const;
          // Where a host dies twice the start may be given up; the next one begins where it ended.
          if (await rig.startIfPossible({ failpoint })) await rig.kill('agent');
          await rig.compareToken();
          await rig.start();
          await rig.finish();
          expect(rig.kills).toBeGreaterThan(0);
        },
        algorithm,
        await tpmToken(null),
      );
    }
  });

  test('the vault host is killed at steps of every change', async () => {
    const steps: readonly `${HostStep | TpmStep}:${number}`[] = [
      'tpm/key-made:1',
      'host/generated:2',
      'host/destroyed:1',
      'host/sealed:2',
    ];
    for (const failpoint of steps) {
      const kills = await KillRig.with(
        async (rig) => {
          await killedAtChanges(rig, failpoint, moves);
          await rig.start();
          await rig.finish();
        },
        algorithm,
        await tpmToken('correct horse'),
      );
      expect(kills).toBeGreaterThan(3);
    }
  });

  test('agent and host are killed at any moment', () =>
    seeded(async (seed) => {
      const rounds = 12;
      await KillRig.with(
        async (rig) => {
          const dice = new Dice(seed);
          for (let round = 0; round < rounds; round += 1) {
            await rig.start();
            await rig.change(randomChange(rig.ledger, dice));
            const changing = rig.change(randomChange(rig.ledger, dice));
            await sleep(dice.below(60));
            await rig.kill(dice.pick(['agent', 'both']));
            await changing;
            await rig.compareToken();
          }
          await rig.start();
          await rig.finish();
        },
        algorithm,
        await tpmToken('correct horse'),
      );
    }));
});
