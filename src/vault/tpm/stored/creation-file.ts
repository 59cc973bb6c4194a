import * as z from 'zod';
import type { CreatedObject } from '../objects.ts';

export const creationEnding = '.creation.json';

/** `OBJECTID.creation.json`: what the TPM needs, and anybody who checks, to certify later how it made a key. */
const document = z.strictObject({
  version: z.literal(1),
  creation_data_b64: z.base64url(),
  ticket_b64: z.base64url(),
});

export function creationBytes({ creationData, ticket }: CreatedObject): Buffer {
  const content: z.input<typeof document> = {
    version: 1,
    creation_data_b64: creationData.toString('base64url'),
    ticket_b64: ticket.toString('base64url'),
  };
  return Buffer.from(`${JSON.stringify(content)}\n`);
}

/** Throws a ZodError or a SyntaxError. */
export function parseCreation(bytes: Buffer): Pick<CreatedObject, 'creationData' | 'ticket'> {
  const { creation_data_b64, ticket_b64 } = document.parse(JSON.parse(bytes.toString('utf8')));
  return {
    creationData: Buffer.from(creation_data_b64, 'base64url'),
    ticket: Buffer.from(ticket_b64, 'base64url'),
  };
}
