import type { AuditOutcome, AuditRecord } from '../../../audit/chain/record.ts';
import { parseDuration } from '../../../base/duration.ts';
import { isKid } from '../../../algorithms/kid.ts';
import { formatTime, parseTime } from '../../../base/rfc3339.ts';
import { UsageError } from '../../shell/failure.ts';

/** Which records are wanted; what is left out lets every one through. */
export interface FilterOptions {
  readonly since?: string;
  readonly until?: string;
  readonly kid?: string;
  /** A user's name or uid, or the id of an API key. */
  readonly principal?: string;
  readonly method?: string;
  readonly outcome?: AuditOutcome;
  /** Any of these; none: every one. */
  readonly keyrings: readonly string[];
}

/** `now`: milliseconds since the epoch. UsageError where a value is none. */
export function recordFilter(
  options: FilterOptions,
  now: number,
): (record: AuditRecord) => boolean {
  const { kid, principal, method, outcome, keyrings } = options;
  if (kid !== undefined && !isKid(kid)) {
    throw new UsageError(`--kid: not a key id (8 hex digits): ${kid}`);
  }
  const since = pointInTime('--since', options.since, now);
  const until = pointInTime('--until', options.until, now);
  // Times of records have one form, in UTC: as texts they stand in the order of time.
  return (record) =>
    (since === null || record.time >= since) &&
    (until === null || record.time <= until) &&
    (kid === undefined || record.kid === kid) &&
    (method === undefined || record.method === method) &&
    (outcome === undefined || record.outcome === outcome) &&
    (keyrings.length === 0 || keyrings.includes(record.keyring ?? '')) &&
    (principal === undefined || isBy(record, principal));
}

function isBy({ user, uid, api_key: apiKey }: AuditRecord, principal: string): boolean {
  return user === principal || apiKey === principal || (uid !== null && `${uid}` === principal);
}

/** `1h`: that long ago; or a time. */
function pointInTime(flag: string, text: string | undefined, now: number): string | null {
  if (text === undefined) return null;
  const ago = parseDuration(text);
  const ms = ago === null ? parseTime(text)?.ms : now - ago * 1000;
  if (ms !== undefined) return formatTime(ms);
  throw new UsageError(
    `${flag}: neither how long ago (90s 15m 24h 7d) nor an RFC 3339 time: ${text}`,
  );
}
