import { watch } from 'node:fs';
import { expect, test } from 'vitest';
import { until } from '../support/faulty-agent.ts';
import { changeOf, type Move } from '../support/key-moves.ts';
import { inParallel, plannedKills } from '../support/kill-plan.ts';
import { KillRig } from '../support/kill-rig.ts';

/** The agent is killed between the saving of the records and the counter of the token's seal. */

const setup: readonly Move[] = ['rotate', 'rotate', 'replace', 'prepare'];

interface Case {
  readonly move: Move;
  readonly outcome: 'changed' | 'unchanged';
}

/** The host is stopped, so that the counter stays behind. What makes a key has only announced it by then. */
const withStoppedHost: readonly Case[] = [
  { move: 'prune', outcome: 'changed' },
  { move: 'revoke grace', outcome: 'changed' },
  { move: 'revoke prepared', outcome: 'changed' },
  { move: 'prepare', outcome: 'unchanged' },
  { move: 'rotate', outcome: 'unchanged' },
  { move: 'revoke active', outcome: 'unchanged' },
];

/** These announce a key first; killed as the records are saved the second time, with the new key in them. */
const atSecondSave: readonly Move[] = ['prepare', 'rotate', 'revoke active'];

async function make(rig: KillRig, move: Move): ReturnType<KillRig['change']> {
  const change = changeOf(move, rig.ledger);
  if (change === null) throw new Error(`there is nothing to ${move}`);
  return rig.change(change);
}

test('killed with the records saved and the counter behind', async () => {
  const kills = await inParallel([stopped, replaced], (work) => KillRig.with(work));
  expect(kills).toBeGreaterThanOrEqual(plannedKills.betweenRecordsAndSeal);
});

async function stopped(rig: KillRig): Promise<void> {
  await rig.start();
  for (const move of setup) expect(await make(rig, move)).toBe('done');
  for (const { move, outcome } of withStoppedHost) {
    const before = rig.counter;
    process.kill(rig.life.host ?? 0, 'SIGSTOP');
    const answer = make(rig, move);
    await until('the records are saved', () => rig.counter > before);
    await rig.kill('agent');
    expect(await answer).toBe('lost');
    expect(rig.counter).toBe(before + 1);
    await rig.compareToken();
    expect(await rig.start()).toBe(outcome);
  }
  await rig.finish();
}

async function replaced(rig: KillRig): Promise<void> {
  await rig.start();
  for (const move of [...atSecondSave, ...atSecondSave]) {
    if (rig.ledger.withState('prepared').length > 0) await make(rig, 'revoke prepared');
    let saves = 0;
    const watcher = watch(rig.sidecarFolder, (_event, name) => {
      if (name !== 'default.json') return;
      saves += 1;
      if (saves === 2) rig.life.signal('SIGKILL');
    });
    try {
      await make(rig, move);
      await rig.killed();
    } finally {
      watcher.close();
    }
    await rig.compareToken();
    await rig.start();
  }
  await rig.finish();
}
