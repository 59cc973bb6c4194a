/**
 * base64 on the wire and in files (RFC 4648): written URL-safe without padding (section 5); read also in
 * the standard alphabet and padded. Node's decoder skips what it does not know, so the form is checked first.
 */

const urlSafe = /^[A-Za-z0-9_-]*={0,2}$/;
const standard = /^[A-Za-z0-9+/]*={0,2}$/;

const lettersAndDigits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const urlSafeCharacters = `${lettersAndDigits}-_`;
const standardCharacters = `${lettersAndDigits}+/`;

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

/** Bits of the last character that no byte has: four behind one byte, two behind two. One byte string has one spelling. */
function hasNoSpareBits(text: string, length: number, bytes: Buffer): boolean {
  const rest = length % 4;
  const last = bytes[bytes.length - 1] ?? 0;
  const written = rest === 2 ? (last & 0x03) << 4 : (last & 0x0f) << 2;
  const character = text.charCodeAt(length - 1);
  return (
    character === urlSafeCharacters.charCodeAt(written) ||
    character === standardCharacters.charCodeAt(written)
  );
}
