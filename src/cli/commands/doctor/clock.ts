import { formatTime } from '../../../base/rfc3339.ts';
import { failure, ok, type Finding } from '../../../base/finding.ts';

/** Nothing of this program was written before; a clock that says so was never set. */
const earliest = Date.UTC(2026, 0, 1);
const latest = Date.UTC(2100, 0, 1);

/** `now`: milliseconds since the epoch. */
export function checkClock(now: number): Finding {
  const time = formatTime(now);
  if (now >= earliest && now < latest) return ok('clock', `says ${time}`);
  return failure('clock', `says ${time}, which cannot be: set it before the agent starts`);
}
