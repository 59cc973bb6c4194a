import type { JsonObject } from '../../api/jwt.ts';
import { membersIn, writtenIn, type WrittenJson } from '../../base/json-members.ts';

/** Deeper than any claims or header; keeps what walks over a hostile one short. */
const maxDepth = 16;
/** Of all kinds, likewise. */
const mostValues = 8192;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The JSON object in these bytes, strictly: UTF-8, no member twice (RFC 7515, section 4; RFC 7519, section 4), nested
 * at most 16 deep, of at most 8,192 values, no number that is none here. `fault` says what it is instead, as the end of a sentence.
 */
export function readJsonObject(
  bytes: Uint8Array,
): { readonly object: JsonObject } | { readonly fault: string } {
  let written: WrittenJson;
  let document: unknown;
  try {
    const text = utf8.decode(bytes);
    written = writtenIn(text, mostValues);
    if (written.values > mostValues) return { fault: `has more than ${mostValues} values` };
    document = JSON.parse(text);
  } catch {
    return { fault: 'is not JSON in UTF-8' };
  }
  if (!isJsonObject(document)) return { fault: 'is not a JSON object' };
  const members = membersIn(document, maxDepth);
  if (members === null) return { fault: `is nested more than ${maxDepth} levels deep` };
  if (members !== written.members) return { fault: 'has a member twice' };
  if (hasInfinity(document)) return { fault: 'has a number that is too large to be kept' };
  return { object: document };
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON.parse makes infinities of numbers such as 1e400, and JSON.stringify would make null of those. */
function hasInfinity(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasInfinity);
}
