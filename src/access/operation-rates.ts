import type { Scope } from '../api/principal.ts';
import type { Caller } from './caller.ts';
import type { Grant } from './grant.ts';
import { Rates } from './rates.ts';

/** Recorded operations of a user a second, beside signatures, where nothing is configured: more than one needs. */
const usualPerSecond: Readonly<Record<Scope, number>> = {
  none: 20,
  reader: 50,
  app: 500,
  admin: 2000,
};

/** How often a user may have something recorded. Who has no scope has a rate of its own, and takes from nobody's. */
export class OperationRates {
  readonly #rates: Rates;

  /** `monotonicNow`: milliseconds on the monotonic clock. */
  constructor(monotonicNow: () => number) {
    this.#rates = new Rates(monotonicNow);
  }

  /**
   * For one operation, which makes so many signatures. `configured`: for readers and apps, signatures among them; null:
   * the usual rate, and none on signatures, which have limits of their own. Nobody keeps an admin from taking things
   * back. Throws `rate_limited` with `retry_after_ms`.
   */
  take(
    { share }: Caller,
    { principal: { scope } }: Grant,
    signatures: number,
    configured: number | null,
  ): void {
    if (configured === null && signatures > 0) return;
    const isConfigured = configured !== null && (scope === 'reader' || scope === 'app');
    const perSecond = isConfigured ? configured : usualPerSecond[scope];
    const name = `${share} ${scope}`;
    this.#rates.take(1, [{ name, who: share, perSecond, of: 'recorded operations' }]);
  }
}
