import type { KeyringState } from '../../../vault/key-records.ts';
import { formatTime, parseTime } from '../../../base/rfc3339.ts';
import { failure, ok, warning, type Finding } from './finding.ts';

/** Nothing of this program was written before; a clock that says so was never set. */
const earliest = Date.UTC(2026, 0, 1);
const latest = Date.UTC(2100, 0, 1);
/** Corrections of a clock stay below it, milliseconds. */
const noticeable = 60_000;

/** `now`: milliseconds since the epoch. */
export function checkClock(now: number): Finding {
  const time = formatTime(now);
  if (now >= earliest && now < latest) return ok('clock', `says ${time}`);
  return failure('clock', `says ${time}, which cannot be: set it before the agent starts`);
}

/** The latest time of a keyring's records against the clock; nothing where they have none. */
export function checkRecordedTime(
  keyring: string,
  { latestTime }: Pick<KeyringState, 'latestTime'>,
  now: number,
  remedy: string,
): readonly Finding[] {
  const instant = latestTime === null ? null : parseTime(latestTime);
  if (latestTime === null || instant === null || instant.ms - now <= noticeable) return [];
  return [
    warning(
      `${keyring}: clock`,
      `the clock says ${formatTime(now)}, the records have seen ${latestTime}, and keys go by that: set the clock ` +
        `right; where it is right and that time is wrong: ${remedy}`,
    ),
  ];
}
