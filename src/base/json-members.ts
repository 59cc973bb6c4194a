/**
 * JSON.parse keeps the last of two members with one name (RFC 8259, section 4), so that what one program checked is
 * not what another would see. Fewer members than were written means that a name stood twice.
 */

/** Members of all objects in a document that JSON.parse made; null where it is nested deeper than `maxDepth`. */
export function membersIn(document: unknown, maxDepth: number): number | null {
  if (typeof document !== 'object' || document === null) return 0;
  if (maxDepth === 0) return null;
  const inner: readonly unknown[] = Object.values(document);
  let count = Array.isArray(document) ? 0 : inner.length;
  for (const member of inner) {
    const members = membersIn(member, maxDepth - 1);
    if (members === null) return null;
    count += members;
  }
  return count;
}

/** Members as they were written in a text that is known to be JSON: colons outside strings, one for each. */
export function membersWritten(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === 0x3a) count += 1;
    else if (character === 0x22) at = endOfString(text, at);
  }
  return count;
}

/** Index of the quote that closes the string which opens at `from`; the text is known to be JSON. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1;
  return backslashes % 2 === 1;
}
