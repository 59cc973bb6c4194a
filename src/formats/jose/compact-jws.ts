import type { JsonObject } from '../../api/jwt.ts';
import { decodeBase64, encodeBase64 } from '../../base/base64.ts';
import { readJsonObject } from './json-object.ts';

/** A JWS in its compact serialization (RFC 7515, section 7.1), taken apart. Nothing of it is verified. */
export interface CompactJws {
  readonly header: JsonObject;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** What was signed (RFC 7515, section 5.1): the first two parts and the dot between them. */
  readonly signingInput: Buffer;
}

/** Why a JWS is refused. */
export interface JwsFault {
  readonly rule: 'form' | 'header' | 'extension' | 'alg' | 'signature';
  readonly reason: string;
}

const urlSafe = /^[A-Za-z0-9_-]*$/;

/**
 * Takes a JWS apart, strictly: three parts, each URL-safe base64 without padding in its one spelling, and a header
 * without extensions: what `crit` or `b64` (RFC 7797) ask for is not understood here. Keys that a header carries or
 * points to are never looked at.
 */
export function readCompactJws(text: string): CompactJws | JwsFault {
  const parts = text.split('.', 6);
  if (parts.length !== 3) {
    const reason = parts.length === 5 ? 'five parts: it is encrypted' : 'it is not three parts';
    return fault('form', reason);
  }
  const [header, payload, signature] = parts.map(decodePart);
  if (!header || !payload || !signature) {
    return fault('form', 'a part is not URL-safe base64 without padding');
  }
  const read = readJsonObject(header);
  if ('fault' in read) return fault('header', `the header ${read.fault}`);
  const extension = ['crit', 'b64'].find((name) => read.object[name] !== undefined);
  if (extension !== undefined) {
    return fault('extension', `the header has ${extension}: extensions are not understood here`);
  }
  const signingInput = Buffer.from(text.slice(0, text.lastIndexOf('.')), 'latin1');
  return { header: read.object, payload, signature, signingInput };
}

/** What is to be signed for this header and payload (RFC 7515, section 5.1). */
export function signingInputOf(header: JsonObject, payload: Uint8Array): string {
  return `${encodeBase64(Buffer.from(JSON.stringify(header), 'utf8'))}.${encodeBase64(payload)}`;
}

export function compactJws(signingInput: string, signature: Uint8Array): string {
  return `${signingInput}.${encodeBase64(signature)}`;
}

function decodePart(part: string): Buffer | null {
  return urlSafe.test(part) ? decodeBase64(part) : null;
}

function fault(rule: JwsFault['rule'], reason: string): JwsFault {
  return { rule, reason };
}
