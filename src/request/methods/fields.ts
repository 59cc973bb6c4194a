import * as z from 'zod';
import { decodeBase64 } from '../../base/base64.ts';
import { isKid } from '../../algorithms/kid.ts';
import { faultOfPin, maxPinLength } from '../../vault/pins/pin-form.ts';

/**
 * The fields that params are made of. Their messages reach the caller. `meta` says in JSON Schema what is checked by
 * code: `rpc.discover` tells it.
 */

const binary = z
  .string()
  .transform((text, context) => {
    const bytes = decodeBase64(text);
    if (bytes !== null) return bytes;
    context.addIssue('must be base64: URL-safe or standard, padded or not');
    return z.NEVER;
  })
  .meta({ contentEncoding: 'base64' });

/** In a Buffer, which whoever acts on it wipes. No message may repeat what was given. */
const pin = z.string().transform((text, context) => {
  const bytes = Buffer.from(text.slice(0, maxPinLength + 1), 'utf8');
  const fault = /\p{Cs}/u.test(text) ? 'is not a line of UTF-8 text' : faultOfPin(bytes);
  if (fault === null) return bytes;
  bytes.fill(0);
  context.addIssue(fault);
  return z.NEVER;
});

/** Longest time that may be asked for, in seconds: a hundred years. */
const longest = 100 * 366 * 24 * 3600;

/** Of an attestation, bytes: what a TPM takes, and nobody hits by chance. */
const leastNonce = 8;
const mostNonce = 32;

export const fields = {
  keyring: z.string().default('default'),
  kid: z
    .string()
    .refine(isKid, 'must be 8 lowercase hex digits')
    .meta({ pattern: '^[0-9a-f]{8}$' }),
  binary,
  nonce: binary.refine(
    ({ length }) => length >= leastNonce && length <= mostNonce,
    `must be ${leastNonce} to ${mostNonce} bytes in base64`,
  ),
  batch: z.array(binary).min(1).max(256),
  seconds: z.int().min(0).max(longest),
  reason: z.string().max(1000),
  /** A key that another program gave out: TSS2 PEM has about 500 bytes. */
  keyFile: z.string().max(16_384),
  /** Of an API key. Every text is answered the same way: no message tells how it should be, or how long. */
  secret: z.string(),
  pin,
};
