/** What minisign's files have in common (https://jedisct1.github.io/minisign/, "Signature format"). */

/** Bytes that are not what they are read as. */
export class MinisignFormatError extends Error {
  override readonly name = 'MinisignFormatError';
}

/** Begins every file of minisign: public keys, secret keys and signatures. */
export const untrustedPrefix = 'untrusted comment: ';
export const trustedPrefix = 'trusted comment: ';

/** Names Ed25519 keys, and their signatures of files themselves; those of a file's BLAKE2b-512 are `ED`. */
export const keyAlgorithm = 'Ed';
export const prehashedAlgorithm = 'ED';

/** The lines, of one character a byte, without the newline or CRLF that ends each; empty ones at the end left out. */
export function linesOf(file: Buffer): readonly string[] {
  return file.toString('latin1').trimEnd().split(/\r?\n/);
}
