import { warning, type Finding } from '../base/finding.ts';
import { formatTime, parseTime } from '../base/rfc3339.ts';
import type { KeyringState } from './key-records.ts';

/** Corrections of a clock stay below it, milliseconds. */
const noticeable = 60_000;

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
