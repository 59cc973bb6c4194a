/**
 * What the signing input of a JWS is told by (RFC 7515, section 5.1; RFC 7797): a header in base64url, a dot, a
 * payload. Readers differ in what base64 and which space they take, so that here everything counts that one of them
 * might take.
 */

/** As much of a text as is decoded first, to see how it begins, characters. */
const beginning = 1024;
const openingBrace = 0x7b;
const closingBrace = 0x7d;
const quotationMark = 0x22;

/** `jwt`: the payload is a JSON object, which makes it a claims set (RFC 7519, section 7.2). null: it is no JWS. */
export function kindOfSigningInput(message: Buffer): 'jwt' | 'jws' | null {
  const dot = message.indexOf('.');
  if (dot < 1 || !isClaimsSet(decoded(message.subarray(0, dot)))) return null;
  const payload = message.subarray(dot + 1);
  return isClaimsSet(payload) || isClaimsSet(decoded(payload)) ? 'jwt' : 'jws';
}

/**
 * Whether a reader of tokens takes these bytes for a claims set: behind a byte order mark and the space of JSON
 * (RFC 8259, section 2) they begin as an object does.
 */
export function isClaimsSet(payload: Buffer): boolean {
  const brace = behindSpace(payload, hasMark(payload) ? 3 : 0);
  if (payload[brace] !== openingBrace) return false;
  const next = payload[behindSpace(payload, brace + 1)];
  return next === quotationMark || next === closingBrace;
}

/** Of base64 in any alphabet, what is none of it left out; all of it only where the beginning is all space. */
function decoded(text: Buffer): Buffer {
  const first = Buffer.from(text.toString('latin1', 0, beginning), 'base64');
  const at = behindSpace(first, hasMark(first) ? 3 : 0);
  const tells = first[at] === openingBrace && behindSpace(first, at + 1) < first.length;
  const tellsNot = at < first.length && first[at] !== openingBrace;
  return tells || tellsNot ? first : Buffer.from(text.toString('latin1'), 'base64');
}

function hasMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function behindSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (isSpace(bytes[at])) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
