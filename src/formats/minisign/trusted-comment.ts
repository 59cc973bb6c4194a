/** minisign's own buffer, without the prefix, the newline and the end of the string. */
const longest = 8173;

/** Why a text cannot be a trusted comment that minisign reads; null where it can. */
export function faultOfTrustedComment(text: string): string | null {
  // A tab is what minisign itself puts between its parts.
  if (/[^\P{Cc}\t]|[\p{Zl}\p{Zp}\p{Cs}]/u.test(text)) {
    return 'must be one line without control characters';
  }
  const length = Buffer.byteLength(text, 'utf8');
  return length > longest ? `has ${length} bytes, and ${longest} are the most` : null;
}

/**
 * What minisign itself writes, for a file of this name; a signature of stdin names none. `now` is milliseconds since
 * the epoch.
 */
export function usualTrustedComment(fileName: string | null, now: number): string {
  const parts = [`timestamp:${Math.floor(now / 1000)}`, 'hashed'];
  if (fileName !== null) parts.splice(1, 0, `file:${fileName}`);
  return parts.join('\t');
}
