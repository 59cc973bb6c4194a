/**
 * What the signing input of a JWS is told by (RFC 7515, section 5.1; RFC 7797): a header in base64url, a dot, a
 * payload. Readers differ in what base64 and which JSON they take, so that here everything counts that one of them
 * might take.
 */
import { isUtf8 } from 'node:buffer';

/** As much of a text as is decoded first, to see how it begins, characters. */
const beginning = 1024;
const openingBrace = 0x7b;
const closingBrace = 0x7d;
const quotationMark = 0x22;

/** `jwt`: the payload is a JSON object, which makes it a claims set (RFC 7519, section 7.2). null: it is no JWS. */
export function kindOfSigningInput(message: Buffer): 'jwt' | 'jws' | null {
  const dot = message.indexOf('.');
  if (dot < 1 || !isEncodedObject(message.subarray(0, dot))) return null;
  const payload = message.subarray(dot + 1);
  return isClaimsSet(payload) || isEncodedObject(payload) ? 'jwt' : 'jws';
}

/** Whether a reader of tokens takes these bytes for a claims set. */
export function isClaimsSet(payload: Buffer): boolean {
  return isJsonObject(payload) || isLenientObject(payload);
}

/**
 * Behind a byte order mark and the space of JSON (RFC 8259, section 2) they begin as an object does. In UTF-16 and
 * UTF-32 too, which readers tell by the zero bytes (RFC 4627, section 3).
 */
function isJsonObject(bytes: Buffer): boolean {
  const brace = behindSpace(bytes, 0);
  if (bytes[brace] !== openingBrace) return false;
  const next = bytes[behindSpace(bytes, brace + 1)];
  return next === quotationMark || next === closingBrace;
}

const lenientBeginnings: readonly (number | undefined)[] = [...Buffer.from('{/#)')];

/** For readers that take comments, other quotes or none, and a line that is to keep browsers from running it. */
function isLenientObject(bytes: Buffer): boolean {
  if (!mayBeLenient(bytes) || !isUtf8(bytes)) return false;
  const text = bytes.toString('utf8');
  const brace = behindComments(text);
  return text[brace] === '{' && text.includes('}', brace);
}

/** Goes through the text once, whatever stands there. */
function behindComments(text: string): number {
  let at = 0;
  for (;;) {
    const { length } = skipped(text, at);
    if (length === 0) return at;
    at += length;
  }
}

const space = /[\s\0\ufeff]+/y;
const line = /(?:\/\/|#|\)\]\}')[^\r\n]*/y;

function skipped(text: string, at: number): string {
  if (text.startsWith('/*', at)) {
    const end = text.indexOf('*/', at + 2);
    return text.slice(at, end < 0 ? text.length : end + 2);
  }
  for (const pattern of [space, line]) {
    pattern.lastIndex = at;
    const [found] = pattern.exec(text) ?? [];
    if (found !== undefined) return found;
  }
  return '';
}

function mayBeLenient(bytes: Buffer): boolean {
  return lenientBeginnings.includes(bytes[behindSpace(bytes, 0)]);
}

/**
 * Of base64 in any alphabet, what is none of it left out. Some readers end at a padding that others leave out where none
 * belongs.
 */
function isEncodedObject(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  if (isClaimsSet(decoded(text))) return true;
  return text.includes('=') && isClaimsSet(decoded(text.replaceAll('=', '')));
}

/** All of it only where the beginning may be that of an object, or is all space. */
function decoded(text: string): Buffer {
  const first = Buffer.from(text.slice(0, beginning), 'base64');
  const tellsNot = behindSpace(first, 0) < first.length && !mayBeLenient(first);
  return tellsNot ? first : Buffer.from(text, 'base64');
}

/** Zero bytes and byte order marks, which are part of the encoding, count as space. */
function behindSpace(bytes: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const mark = lengthOfMark(bytes, at);
    if (mark === 0 && !isSpace(bytes[at])) return at;
    at += mark || 1;
  }
}

function lengthOfMark(bytes: Buffer, at: number): number {
  const [first, second] = [bytes[at], bytes[at + 1]];
  if (first === 0xef && second === 0xbb && bytes[at + 2] === 0xbf) return 3;
  const isWide = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return isWide ? 2 : 0;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0 || byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}
