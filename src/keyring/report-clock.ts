import { formatTime } from '../base/rfc3339.ts';
import type { KeyringParts } from './parts.ts';
import type { KeyringState } from '../vault/key-records.ts';
import type { TrustedClock } from './trusted-clock.ts';

/** Corrections of a clock stay below it, milliseconds; what lies further apart is told of with its repair. */
const noticeable = 60_000;

/** At the opening: one of two clocks is wrong, the one that the records were written by or this one. */
export function reportClockBehind(
  { name, vault, store, world }: KeyringParts,
  clock: TrustedClock,
  { latestTime }: KeyringState,
): void {
  if (latestTime === null || clock.behind({ latestTime }) <= noticeable) return;
  clock.behindIsKnown();
  const repair =
    vault.reserve === null
      ? `stop the agent and take "latest_time" out of ${store.location} and of its second copy`
      : `stop the agent and run agentctl reconcile --keyring ${name} --reset-clock --apply`;
  world.log.warn(
    { keyring: name, clock: formatTime(world.now()), latest_time: latestTime },
    `the clock is behind the latest time in ${store.location}: keys go by that time, so that a clock set back ` +
      `revives none. Set the clock right; where it is right and that time is wrong: ${repair}`,
  );
}
