import { expect, test } from 'vitest';
import { changeOf, type Move } from '../support/key-moves.ts';
import { inParallel, plannedKills, type AgentStep } from '../support/kill-plan.ts';
import { KillRig } from '../support/kill-rig.ts';

/** The agent is ended at each step of each change: nothing was changed until the records were saved, and all from there on. */

const making: readonly AgentStep[] = ['change/announced', 'change/generated', 'change/saved'];
const activating: readonly AgentStep[] = ['change/proved', 'change/saved'];
const removing: readonly AgentStep[] = ['change/destroyed', 'change/settled'];

interface Case {
  readonly move: Move;
  /** Made in the same life, before it. */
  readonly before: readonly Move[];
  readonly steps: readonly AgentStep[];
}

const cases: readonly Case[] = [
  { move: 'rotate', before: [], steps: making },
  { move: 'prepare', before: [], steps: making },
  { move: 'rotate', before: ['prepare'], steps: activating },
  {
    move: 'prune',
    before: ['replace', 'replace'],
    steps: ['change/saved', 'change/destroyed', ...removing],
  },
  { move: 'revoke active', before: [], steps: [...making, ...removing] },
  { move: 'revoke active', before: ['prepare'], steps: [...activating, ...removing] },
  { move: 'revoke grace', before: ['rotate'], steps: ['change/saved', ...removing] },
  { move: 'revoke prepared', before: ['prepare'], steps: ['change/saved', ...removing] },
];

test('the agent is killed at every step of every change', async () => {
  const kills = await inParallel(cases, killedAtEachStep);
  expect(kills).toBeGreaterThanOrEqual(plannedKills.stepsOfChanges);
});

function killedAtEachStep({ move, before, steps }: Case): Promise<number> {
  return KillRig.with(async (rig) => {
    const wantsPrepared = before.includes('prepare');
    let isPrepared = false;
    let expected = 'unchanged';
    for (const [index, step] of steps.entries()) {
      const undo: readonly Move[] = isPrepared && !wantsPrepared ? ['revoke prepared'] : [];
      const setup = [...undo, ...before.filter((one) => !(isPrepared && one === 'prepare'))];
      const first = index === 0 ? making : []; // the first start of all makes a key too
      const earlier = [...first, ...setup.flatMap(stepsBefore)].filter(
        (one) => one === step,
      ).length;
      const nth = earlier + steps.slice(0, index + 1).filter((one) => one === step).length;
      expect(await rig.start({ failpoint: `${step}:${nth}` })).toBe(expected);
      for (const one of setup) expect(await make(rig, one)).toBe('done');
      expect(await make(rig, move)).toBe('lost');
      await rig.killed();
      await rig.compareToken();
      const isSaved = index >= steps.indexOf('change/saved');
      expected = isSaved ? 'changed' : 'unchanged';
      isPrepared = isSaved ? move === 'prepare' : wantsPrepared;
    }
    expect(await rig.start()).toBe(expected);
    await rig.finish();
  });
}

function stepsBefore(move: Move): readonly AgentStep[] {
  return move === 'revoke prepared' ? ['change/saved', ...removing] : making;
}

async function make(rig: KillRig, move: Move): Promise<'done' | 'refused' | 'lost'> {
  const change = changeOf(move, rig.ledger);
  if (change === null) throw new Error(`there is nothing to ${move}`);
  return rig.change(change);
}

test('the agent is killed at every step of its schedule', async () => {
  const kills = await KillRig.with(async (rig) => {
    const rotation = 'every = "2s"\nprepublish = "1s"\ngrace = "1h"';
    await rig.start();
    await rig.kill('agent');
    // What is due is done by itself; without a schedule the next life leaves everything as it was.
    const scheduled = async (
      move: 'prepare' | 'rotate' | 'prune',
      step: AgentStep,
    ): Promise<void> => {
      const change = changeOf(move, rig.ledger);
      if (change === null) throw new Error(`there is nothing to ${move}`);
      rig.ledger.begin(change);
      rig.begin({ failpoint: `${step}:1`, rotation });
      await rig.killed();
      await rig.compareToken();
      expect(await rig.start()).toBe('changed');
    };
    await scheduled('prepare', 'rotation/prepared');
    await rig.kill('agent');
    await scheduled('rotate', 'rotation/activated');
    expect(await make(rig, 'replace')).toBe('done');
    await rig.kill('agent');
    await scheduled('prune', 'rotation/pruned');
    await rig.finish();
  });
  expect(kills).toBeGreaterThanOrEqual(plannedKills.stepsOfSchedule);
});
