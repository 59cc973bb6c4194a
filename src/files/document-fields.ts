import * as z from 'zod';
import { parseTime } from '../base/rfc3339.ts';

/** The members that keystore and sidecar share. */

/** RFC 3339, kept as the text that it is. */
export const time = z.string().refine((text) => parseTime(text) !== null, {
  error: 'must be an RFC 3339 time',
});

/** kid → end of its grace. */
export const grace = z.record(z.string(), time);

export const prepared = z.object({ kid: z.string(), activates_at: time.nullable() });

export const activated = z.object({ kid: z.string(), at: time });

export const revoked = z.object({ at: time, reason: z.string().optional() });

/** The first value that stands twice; null where all differ. */
export function duplicateOf(values: readonly string[]): string | null {
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value)) return value;
    seen.add(value);
  }
  return null;
}

/** What is wrong with a document, for people: the member and the reason, never its value. */
export function describeProblem(failure: unknown): string {
  if (failure instanceof z.ZodError) {
    return failure.issues
      .map(({ path, message }) =>
        path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`,
      )
      .join('; ');
  }
  if (failure instanceof SyntaxError) return 'it is not JSON'; // V8's own text quotes the content
  return failure instanceof Error ? failure.message : String(failure);
}
