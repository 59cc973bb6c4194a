import * as z from 'zod';
import { isKid } from '../../../algorithms/kid.ts';
import { decodeBase64 } from '../../../base/base64.ts';
import { parseTime } from '../../../base/rfc3339.ts';

/** What results are made of. Every check is in JSON Schema too: as `meta` where code makes it. */

/** RFC 3339. */
export const time = z
  .string()
  .refine((text) => parseTime(text) !== null)
  .meta({ format: 'date-time' });

export const kid = z.string().refine(isKid).meta({ pattern: '^[0-9a-f]{8}$' });

/** base64url without padding, of that many bytes where it is said. */
export function base64url(bytes?: number): z.ZodString {
  return z
    .string()
    .regex(/^[\w-]*$/)
    .refine((text) => {
      const decoded = decodeBase64(text);
      return decoded !== null && (bytes === undefined || decoded.length === bytes);
    })
    .meta({
      contentEncoding: 'base64',
      ...(bytes === undefined ? {} : { description: `${bytes} bytes.` }),
    });
}

/** Ed25519: 32 bytes; ES256: 65, the uncompressed point. */
export const publicKey = base64url().meta({
  contentEncoding: 'base64',
  description: 'Ed25519: 32 bytes (RFC 8032). ES256: 65 bytes, the uncompressed point (SEC 1).',
});
export const signature = base64url(64);

/** SHA-256 in lowercase hex. */
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const count = z.int().min(0);

/** A JSON object of any members. */
export const anyObject = z.record(z.string(), z.unknown());

export const algorithm = z.enum(['ed25519', 'es256']);
export const backend = z.enum(['file', 'pkcs11', 'tpm']);
export const protection = z.enum(['hardware', 'hardware-wrapped', 'software']);
export const empty = z.object({});
