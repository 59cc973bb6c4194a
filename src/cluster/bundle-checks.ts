import type { TrustBundle } from '../api/cluster.ts';
import { AgentError, quoted } from '../base/errors.ts';
import { fingerprintOf, inGroups } from '../base/fingerprint.ts';
import { formatTime, hasCome, parseTime } from '../base/rfc3339.ts';
import { bytesOf } from './document.ts';

/** How much later than now a bundle may be of, milliseconds: clocks differ. */
const longestAhead = 60_000;

/** `expected`: of its CA; null: any. Throws `conflict` for another one. */
export function refuseOther(bundle: TrustBundle, expected: string | null): void {
  const ca_fingerprint = fingerprintIn(bundle);
  if (expected === null || expected === ca_fingerprint) return;
  throw new AgentError(
    'conflict',
    `the bundle of ${quoted(bundle.cluster_domain)} has ${caText(bundle)}, and not the CA with SHA-256 ` +
      `${inGroups(expected)}: it is not the bundle that was meant. Nothing was imported`,
    { details: { ca_kid: bundle.ca_kid, ca_fingerprint } },
  );
}

/** Throws `conflict` for one of the future: it could not be replaced before that time by what the cluster gives out. */
export function refuseFuture({ cluster_domain, generated_at }: TrustBundle, now: number): void {
  const generated = parseTime(generated_at);
  if (generated !== null && hasCome(generated, now + longestAhead)) return;
  throw new AgentError(
    'conflict',
    `the bundle of ${quoted(cluster_domain)} is of ${generated_at}, and it is ${formatTime(now)} here: set the clock ` +
      'right that is wrong, then get the bundle again',
    { details: { cluster_domain, generated_at } },
  );
}

export function fingerprintIn({ ca_public_key_b64 }: TrustBundle): string {
  return fingerprintOf(bytesOf(ca_public_key_b64));
}

/** The kid is four bytes, for which another key can be made. */
export function caText(bundle: TrustBundle): string {
  return `CA ${bundle.ca_kid}, SHA-256 ${inGroups(fingerprintIn(bundle))}`;
}
