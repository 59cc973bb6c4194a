import { isUtf8 } from 'node:buffer';

/** What may stand around a secret in a file, bytes: a byte order mark, and ends of lines. */
export const mostAroundSecret = 64;

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const utf16Marks = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];
const [space, newline, carriageReturn, del] = [0x20, 0x0a, 0x0d, 0x7f];

/** A secret, as a view of the bytes that were read, or why they hold none, to follow the name of where they are from. */
type SecretLine = { readonly secret: Buffer } | { readonly fault: string };

/**
 * The one rule for a secret that comes from a file, a pipe, stdin or a credential: PINs and API keys. It is one line
 * of UTF-8. A byte order mark before it and the ends of lines behind it are what editors put there, and are left out.
 * Spaces around it, control characters and further lines are refused: a token would count a wrong PIN, and nobody
 * could see why.
 */
export function secretIn(bytes: Buffer): SecretLine {
  if (utf16Marks.some((mark) => bytes.subarray(0, 2).equals(mark))) {
    return { fault: 'is UTF-16: write it anew as UTF-8' };
  }
  const start = bytes.subarray(0, 3).equals(byteOrderMark) ? 3 : 0;
  let end = bytes.length;
  while (end > start && isLineEnd(bytes[end - 1])) end -= 1;
  const secret = bytes.subarray(start, end);
  if (!isUtf8(secret) || secret.includes(0)) return { fault: 'is not a line of UTF-8 text' };
  if (secret.some(isLineEnd)) return { fault: 'has more than one line' };
  if (secret.some((byte) => byte < space || byte === del)) {
    return { fault: 'has a control character, such as a tab: take it out' };
  }
  if (secret[0] === space || secret.at(-1) === space) {
    return { fault: 'has a space before or behind the secret: take it out' };
  }
  return { secret };
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === newline || byte === carriageReturn;
}
