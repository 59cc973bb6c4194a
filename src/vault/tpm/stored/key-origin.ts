import * as z from 'zod';
import { formatTime } from '../../../base/rfc3339.ts';
import { creationEnding } from './creation-file.ts';
import type { KeyFolder } from './key-folder.ts';

export const importEnding = '.import.json';

/** `OBJECTID.import.json`: another program made the key, and it was taken over here. Nothing in it is secret. */
const document = z.strictObject({ version: z.literal(1), imported_at: z.string() });

/** `now`: milliseconds since the epoch. */
export function importBytes(now: number): Buffer {
  const content: z.input<typeof document> = { version: 1, imported_at: formatTime(now) };
  return Buffer.from(`${JSON.stringify(content)}\n`);
}

/**
 * Where a key comes from, as `list_keys` has it. The TPM says that it made the key; who had it do so is known from the
 * files beside it. Throws a ZodError or a SyntaxError for one that is broken.
 */
export function originOf(folder: KeyFolder, objectId: string): Readonly<Record<string, unknown>> {
  const noted = folder.read(`${objectId}${importEnding}`);
  if (noted !== null) {
    return {
      made: 'in the TPM, by another program',
      imported_at: document.parse(JSON.parse(noted.toString('utf8'))).imported_at,
      copies: 'the key file that it came from may be used in this TPM as before',
    };
  }
  const isOurs = folder.names().includes(`${objectId}${creationEnding}`);
  return { made: isOurs ? 'in the TPM' : 'in the TPM; by which program is not known' };
}
