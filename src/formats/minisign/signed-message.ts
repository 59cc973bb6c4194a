/** Bytes of the BLAKE2b-512 that stands for the file. */
export const digestLength = 64;
const signatureLength = 64;
/** Where the S of an Ed25519 signature ends: it is below 2^252 + 2^125, little-endian (RFC 8032, section 5.1.7). */
const lastByteOfS = 63;
const mostOfLastByte = 0x10;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Beginnings that no digest and no signature has, since each leaves less than one in 2^40: whoever looks for a file or a
 * message that gives one looks in vain. Of the first 64 bytes, in hex.
 */
const notRandom: readonly RegExp[] = [
  // Text of ASCII.
  /^(?:0[9ad]|[2-6].|7[0-9a-e]){64}/,
  // An sshsig; an SSH certificate; a login over SSH whose session id is a hash of at most 56 bytes.
  /^53534853494700/,
  /^000000..(?:2[1-9a-f]|[3-6].|7[0-9a-e])*2d63657274/,
  /^000000(?:[12].|3[0-8])(?:..){16,56}32000000/,
  // A certificate, a list or a request of X.509, in DER, with its version.
  /^30(?:[4-7].|81..|82....)(?:a00302010[0-2]|02010[01]30)/,
];

/**
 * Whether a signature of these bytes could stand in a minisign file. A digest of 64 bytes cannot be told from any other
 * 64 bytes, so that all of that length count. Beyond it: what may be a signature, and a trusted comment behind it, one
 * line of text; the signature file is worth nothing without the signature over both.
 */
export function isMinisignMessage(message: Buffer): boolean {
  if (message.length < digestLength) return false;
  const beginning = message.toString('hex', 0, digestLength);
  if (notRandom.some((pattern) => pattern.test(beginning))) return false;
  if (message.length === digestLength) return true;
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
