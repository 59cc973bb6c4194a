import * as z from 'zod';
import { decodeBase64 } from '../base/base64.ts';
import { membersIn, writtenIn } from '../base/json-members.ts';
import { isKid } from '../algorithms/kid.ts';
import { parseTime } from '../base/rfc3339.ts';

/** Bytes or text that are not the document that they are read as; the message says what about them. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
}

/** No document of the cluster is nested deeper. */
const mostDepth = 4;
/** More than any document of a cluster has, and known before it is parsed. */
const mostValues = 8192;

const text = z.string().refine((given) => !/\p{Cs}/u.test(given), 'has half a surrogate pair');

/** What the members of the cluster's documents are made of. What was read stays as it was spelled. */
export const members = {
  text,
  kid: z.string().refine(isKid, 'must be 8 lowercase hex digits'),
  time: z
    .string()
    .refine((given) => parseTime(given) !== null, 'must be an RFC 3339 time')
    .meta({ format: 'date-time' }),
  /** An Ed25519 public key. */
  publicKey: bytes(32),
  /** An Ed25519 signature. */
  signature: bytes(64),
  domain: text.min(1, 'must not be empty'),
};

function bytes(length: number): z.ZodString {
  return z
    .string()
    .refine((given) => decodeBase64(given)?.length === length, `must be base64 of ${length} bytes`);
}

/**
 * Reads JSON in which no member stands twice, and checks it by a schema that knows every member. Throws
 * DocumentError; `what` begins its message.
 */
export function parseDocument<Schema extends z.ZodType>(
  json: string,
  schema: Schema,
  what: string,
): z.output<Schema> {
  const value = parseJson(json, what);
  const outcome = schema.safeParse(value);
  if (outcome.success) return outcome.data;
  throw new DocumentError(`${what}: ${outcome.error.issues.map(issueText).join('; ')}`);
}

function parseJson(json: string, what: string): unknown {
  const written = writtenIn(json, mostValues);
  if (written.values > mostValues) throw new DocumentError(`${what} has too many values`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new DocumentError(`${what} is not JSON`);
  }
  const count = membersIn(value, mostDepth);
  if (count === null) throw new DocumentError(`${what} is nested too deep`);
  if (count !== written.members) throw new DocumentError(`${what} has a member twice`);
  return value;
}

function issueText(issue: z.core.$ZodIssue): string {
  const at = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => [...issue.path, key].join('.').slice(0, 80));
    return `there is no member ${names.join(', ')}`;
  }
  return at === '' ? issue.message : `${at}: ${issue.message}`;
}

/** The bytes of base64 that was checked as it was read. */
export function bytesOf(checked: string): Buffer {
  const decoded = decodeBase64(checked);
  if (decoded === null) throw new Error('base64 of a document was not checked');
  return decoded;
}

/** The text as bytes that are signed: UTF-8. */
export function utf8(json: string): Buffer {
  return Buffer.from(json, 'utf8');
}
