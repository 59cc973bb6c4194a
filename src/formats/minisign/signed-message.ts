/** Bytes of the BLAKE2b-512 that stands for the file. */
export const digestLength = 64;
const signatureLength = 64;
/** Where the S of an Ed25519 signature ends: it is below 2^252 + 2^125, little-endian (RFC 8032, section 5.1.7). */
const lastByteOfS = 63;
const mostOfLastByte = 0x10;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Whether a signature of these bytes could stand in a minisign file. A digest of 64 bytes cannot be told from any other
 * 64 bytes, so that all of that length count. Beyond it: what may be a signature, and a trusted comment behind it, one
 * line of text; the signature file is worth nothing without the signature over both.
 */
export function isMinisignMessage(message: Buffer): boolean {
  if (message.length <= digestLength) return message.length === digestLength;
  if ((message[lastByteOfS] ?? 0xff) > mostOfLastByte) return false;
  const comment = message.subarray(signatureLength);
  if (comment.includes(0x0a)) return false;
  // minisign itself ends a text at a NUL and takes any bytes before it; others take what is UTF-8.
  return !comment.includes(0) || isText(comment);
}

function isText(bytes: Buffer): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
