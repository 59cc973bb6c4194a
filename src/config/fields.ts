import * as z from 'zod';
import { parseDuration } from '../base/duration.ts';

/** Whole seconds. */
export const duration = z.string().transform((text, context) => {
  const seconds = parseDuration(text);
  if (seconds !== null) return seconds;
  context.addIssue('must be a duration such as 90s, 15m, 24h or 7d');
  return z.NEVER;
});
