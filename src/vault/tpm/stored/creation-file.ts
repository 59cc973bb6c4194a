import type { CreatedObject } from '../objects.ts';

/** `OBJECTID.creation.json`: what the TPM needs, and anybody who checks, to certify later how it made a key. */
export function creationBytes({ creationData, ticket }: CreatedObject): Buffer {
  const content = {
    version: 1,
    creation_data_b64: creationData.toString('base64url'),
    ticket_b64: ticket.toString('base64url'),
  };
  return Buffer.from(`${JSON.stringify(content)}\n`);
}
