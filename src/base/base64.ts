/**
 * base64 on the wire and in files (RFC 4648): written URL-safe without padding (section 5); read also in
 * the standard alphabet and padded. Node's decoder skips what it does not know, so the form is checked first.
 */

const urlSafe = /^[A-Za-z0-9_-]*={0,2}$/;
const standard = /^[A-Za-z0-9+/]*={0,2}$/;

/** Decodes; null where the text is not base64: a foreign character, wrong padding, or left-over bits set. */
export function decodeBase64(text: string): Buffer | null {
  if (!urlSafe.test(text) && !standard.test(text)) return null;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const length = text.length - padding;
  const rest = length % 4;
  if (rest === 1) return null;
  if (padding > 0 && (length + padding) % 4 !== 0) return null;
  const bytes = Buffer.from(text, 'base64');
  return rest === 0 || hasNoSpareBits(text, length, bytes) ? bytes : null;
}

/** URL-safe base64 without padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/** The last, partial quantum must encode to the same text again: one byte string has one spelling. */
function hasNoSpareBits(text: string, length: number, bytes: Buffer): boolean {
  const rest = length % 4;
  const tail = bytes.subarray(bytes.length - (rest - 1)).toString('base64url');
  const written = text
    .slice(length - rest, length)
    .replaceAll('+', '-')
    .replaceAll('/', '_');
  return tail === written;
}
