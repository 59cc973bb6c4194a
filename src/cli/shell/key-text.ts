import type { KeyDetails, KeyStatus } from '../../api/signing-backend.ts';
import type { Cell, Style } from './output.ts';
import { when } from './when.ts';

const styles: Readonly<Record<KeyStatus, Style>> = {
  prepared: 'cyan',
  active: 'green',
  grace: 'yellow',
  revoked: 'red',
  retired: 'dim',
};

export function stateCell(state: KeyStatus): Cell {
  // A newer agent may know a state that this version does not.
  return Object.hasOwn(styles, state) ? { text: state, style: styles[state] } : state;
}

/** How long the key's signatures verify, in one phrase. */
export function untilText(key: KeyDetails, now: number): string {
  if (key.revoked_at !== undefined) return `revoked ${when(key.revoked_at, now)}`;
  if (key.valid_until !== null) return when(key.valid_until, now);
  if (key.state === 'active') return 'while it is active';
  if (key.state !== 'prepared') return 'valid no more';
  const { activates_at } = key;
  return activates_at === undefined || activates_at === null
    ? 'active at the next rotation'
    : `to be active ${when(activates_at, now)}`;
}
