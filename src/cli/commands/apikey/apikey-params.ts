import { parseDuration } from '../../../base/duration.ts';
import { parseTime } from '../../../base/rfc3339.ts';
import { UsageError } from '../../shell/failure.ts';
import type { OfflineOptions } from '../../offline/offline-settings.ts';

/** The flags of `apikey create` and `apikey update`. */
export interface ApiKeyFlags extends OfflineOptions {
  readonly scope?: string;
  readonly user?: readonly string[];
  readonly machine?: readonly string[];
  readonly purpose?: readonly string[];
  readonly anyKeyring?: true;
  readonly anyPurpose?: true;
  readonly anyUser?: true;
  readonly anyMachine?: true;
  /** false, here and below: the flag that begins with --no. */
  readonly expires?: string | false;
  readonly note?: string | false;
  readonly maxSignatures?: string | false;
  readonly maxConnections?: string | false;
}

/** What is asked of the agent: undefined for what was not named, null for a restriction that goes. */
export function apiKeyParams(
  flags: ApiKeyFlags,
  keyrings: readonly string[],
): Readonly<Record<string, unknown>> {
  return {
    scope: flags.scope,
    allowed_keyrings: list('keyring', keyrings.length > 0 ? keyrings : undefined, flags.anyKeyring),
    allowed_purposes: list('purpose', flags.purpose, flags.anyPurpose),
    allowed_users: list('user', flags.user, flags.anyUser),
    allowed_machines: list('machine', flags.machine, flags.anyMachine),
    ...expiry(flags.expires),
    max_signatures_per_second: limit('--max-signatures', flags.maxSignatures),
    max_connections: limit('--max-connections', flags.maxConnections),
    note: flags.note === false ? null : flags.note,
  };
}

function list(name: string, given: readonly string[] | undefined, any: true | undefined) {
  if (any !== true) return given;
  if (given === undefined) return null;
  throw new UsageError(`--${name} and --any-${name} exclude each other`);
}

function expiry(given: string | false | undefined): Readonly<Record<string, unknown>> {
  if (given === undefined) return {};
  if (given === false) return { expires_at: null };
  const seconds = parseDuration(given);
  if (seconds !== null) return { expires_in_seconds: seconds };
  if (parseTime(given) !== null) return { expires_at: given };
  throw new UsageError(
    `--expires: neither a duration (90s 15m 24h 30d) nor an RFC 3339 time: ${given}`,
  );
}

function limit(flag: string, given: string | false | undefined): number | null | undefined {
  if (given === undefined) return undefined;
  if (given === false) return null;
  if (/^[1-9]\d{0,6}$/.test(given)) return Number(given);
  throw new UsageError(`${flag}: not a whole number above 0: ${given}`);
}
