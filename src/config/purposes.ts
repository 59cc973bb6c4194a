import * as z from 'zod';
import { parsePurpose, purposeNames, type Purpose, type Purposes } from '../access/purposes.ts';
import { quoted } from '../base/errors.ts';
import { nearest } from './nearest.ts';

/** `purposes = [...]`; left out: all. An empty list: nobody has anything signed. */
export const purposesField = z
  .array(
    z.string().transform((text, context): Purpose => {
      const purpose = parsePurpose(text);
      if (purpose !== null) return purpose;
      context.addIssue(unknownPurpose(text));
      return z.NEVER;
    }),
  )
  .transform((purposes): Purposes => new Set(purposes))
  .optional();

function unknownPurpose(text: string): string {
  const names = [...purposeNames, 'sshsig:NAMESPACE'].join(', ');
  const meant = nearest(text, purposeNames);
  const hint = meant === null ? '' : `; did you mean ${meant}?`;
  return `there is no purpose ${quoted(text)}${hint} There are: ${names}`;
}
