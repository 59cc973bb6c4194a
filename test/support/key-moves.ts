import { expect } from 'vitest';
import type { Change, KeyLedger } from './key-ledger.ts';
import type { Dice } from './kill-plan.ts';
import type { KillRig, StartOptions } from './kill-rig.ts';

/** Changes by name; of which key is seen when it is made. */
export type Move =
  'rotate' | 'replace' | 'prepare' | 'prune' | 'revoke active' | 'revoke grace' | 'revoke prepared';

/** A token gets slower with each key: beyond so many, keys go. */
const manyKeys = 5;
const longGrace = 3600;

/** null where there is nothing to do it with. */
export function changeOf(move: Move, ledger: KeyLedger): Change | null {
  const [prepared = null] = ledger.withState('prepared');
  switch (move) {
    case 'rotate':
      return { do: 'rotate', grace: longGrace };
    case 'replace':
      return { do: 'rotate', grace: 0 };
    case 'prepare':
      return prepared === null ? { do: 'prepare' } : null;
    case 'prune':
      return ledger.withState('retired').length > 0 ? { do: 'prune' } : null;
    case 'revoke active':
      return { do: 'revoke', kid: ledger.active };
    case 'revoke grace': {
      const [kid = null] = ledger.withState('grace');
      return kid === null ? null : { do: 'revoke', kid };
    }
    case 'revoke prepared':
      return prepared === null ? null : { do: 'revoke', kid: prepared };
  }
}

const mixed: readonly Move[] = [
  ...(['rotate', 'rotate', 'replace', 'prepare', 'prune', 'prune'] as const),
  ...(['revoke active', 'revoke grace', 'revoke prepared'] as const),
];
const shrinking: readonly Move[] = ['replace', 'prune', 'prune', 'revoke grace', 'revoke grace'];

/** Any change that can be made now. */
export function randomChange(ledger: KeyLedger, dice: Dice): Change {
  const held = ledger.keys.size - ledger.withState('revoked').length;
  for (;;) {
    const change = changeOf(dice.pick(held > manyKeys ? shrinking : mixed), ledger);
    if (change !== null) return change;
  }
}

/** Method and parameters. */
export function requestOf(change: Change): [string, object] {
  switch (change.do) {
    case 'rotate':
      return ['rotate', { grace_seconds: change.grace }];
    case 'prepare':
      return ['prepare', {}];
    case 'prune':
      return ['prune_expired_grace', {}];
    case 'revoke':
      return ['revoke', { kid: change.kid }];
  }
}

/**
 * A vault host is killed at the step of every change, in an agent that has its first key already; the agent once more
 * at the end. What was acknowledged is there each time, and nothing is left over in the token.
 */
export async function killedAtChanges(
  rig: KillRig,
  failpoint: NonNullable<StartOptions['failpoint']>,
  moves: readonly Move[],
): Promise<void> {
  await rig.start();
  await rig.kill('agent');
  await rig.start({ failpoint });
  for (const move of moves) {
    const change = changeOf(move, rig.ledger);
    if (change === null) continue;
    expect(await rig.change(change)).not.toBe('lost');
    await rig.check({ pending: true }); // the host that repeats a step dies of it too
  }
  await rig.kill('agent');
  await rig.compareToken();
}
