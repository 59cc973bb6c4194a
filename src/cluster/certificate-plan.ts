import type { CaCert } from '../api/cluster.ts';
import type { KeyInUse } from '../keyring/keys-in-use.ts';
import { parseTime } from '../base/rfc3339.ts';

/** How long a certificate of a key holds that is rotated by hand, so that nobody knows its end: milliseconds. */
const validityByHand = 365 * 24 * 3_600_000;
/** An expired certificate would be none. */
const shortest = 1000;
/** In that last share of its validity a certificate is issued anew, where its key is used for longer. */
const lastShare = 10;
/** And in no less than that, milliseconds: keys are looked at every two seconds, and one may come late. */
const leastShare = 5000;

/**
 * When a certificate expires that is issued now for what remains of the key's life and its grace; milliseconds since
 * the epoch. A key whose rotation is overdue is in use still: then the grace alone remains.
 */
export function plannedExpiry(
  { usedUntil }: Pick<KeyInUse, 'usedUntil'>,
  graceSeconds: number,
  now: number,
): number {
  if (usedUntil === null) return now + validityByHand;
  return Math.max(Math.max(usedUntil, now) + graceSeconds * 1000, now + shortest);
}

/**
 * Whether a key needs another certificate. `longest`: of those that hold the one that expires last; null where none
 * does. `planned`: see plannedExpiry.
 */
export function needsCertificate(longest: CaCert | null, planned: number, now: number): boolean {
  if (longest === null) return true;
  const expires = msOf(longest.expires_at);
  const share = Math.max((expires - msOf(longest.issued_at)) / lastShare, leastShare);
  const isLate = now >= expires - share;
  return isLate && planned > expires;
}

/** Of several certificates of one key, the newest first: those that no newer one stands in for. */
export function outlivingNewer(certificates: readonly CaCert[]): readonly CaCert[] {
  let latest = -Infinity;
  return certificates.filter(({ expires_at }) => {
    const expires = msOf(expires_at);
    if (expires <= latest) return false;
    latest = expires;
    return true;
  });
}

/** Times of certificates were checked when they were read. */
function msOf(time: string): number {
  const instant = parseTime(time);
  if (instant === null) throw new Error('a certificate has a time that is none');
  return instant.ms;
}
