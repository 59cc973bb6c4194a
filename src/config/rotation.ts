import * as z from 'zod';
import { formatDuration } from '../base/duration.ts';
import { largestJitter, type RotationPolicy } from '../keyring/rotation-schedule.ts';
import { duration } from './fields.ts';

/** Below it a key would hardly be used before it is replaced, seconds. */
const shortestPeriod = 2;

const table = z.strictObject({
  every: duration,
  /** How long before its use the next key is published; a quarter of `every`. */
  prepublish: duration.optional(),
  /** How long a replaced key stays valid; as long as it was used. */
  grace: duration.optional(),
  /** The longest time that what is signed must go on verifying: the grace is compared with it. */
  signature_lifetime: duration.optional(),
});

type Table = z.output<typeof table>;

export const rotationKeys: readonly string[] = Object.keys(table.shape);

/** `[keyrings.NAME.rotation]` */
export const rotationTable = table
  .superRefine((given, context) => {
    for (const { key, message } of problemsOf(given)) {
      context.addIssue({ code: 'custom', path: [key], message });
    }
  })
  .transform(policyOf);

function policyOf({ every, prepublish, grace }: Table): RotationPolicy {
  return {
    everySeconds: every,
    prepublishSeconds: prepublish ?? Math.floor(every / 4),
    graceSeconds: grace ?? every,
  };
}

function problemsOf(given: Table): readonly { key: string; message: string }[] {
  const { everySeconds, prepublishSeconds, graceSeconds } = policyOf(given);
  const every = `every = ${formatDuration(everySeconds)}`;
  const problems: { key: string; message: string }[] = [];
  if (everySeconds < shortestPeriod) {
    problems.push({ key: 'every', message: `must be ${formatDuration(shortestPeriod)} or longer` });
  } else if (prepublishSeconds >= everySeconds) {
    problems.push({
      key: 'prepublish',
      message:
        `prepublish = ${formatDuration(prepublishSeconds)} must be less than ${every}: the next key is ` +
        'prepared while the one before it is used',
    });
  }
  const lifetime = given.signature_lifetime ?? 0;
  // A whole second at least, since the numbers are shown and are to add up.
  const jitter = Math.ceil(largestJitter({ everySeconds }) / 1000);
  if (lifetime > 0 && graceSeconds < lifetime + jitter) {
    const grace = `grace = ${formatDuration(graceSeconds)}${given.grace === undefined ? ' (as every)' : ''}`;
    problems.push({
      key: 'grace',
      message:
        `a signature made in the last moment of a key lives signature_lifetime = ${formatDuration(lifetime)}, ` +
        `plus jitter of ${formatDuration(jitter)}: ${formatDuration(lifetime + jitter)} is more than ${grace}, ` +
        'so it would outlive its key',
    });
  }
  return problems;
}
