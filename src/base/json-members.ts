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

/** What stands outside the strings of a text. */
export interface WrittenJson {
  /** Members of all objects: colons, one for each. */
  readonly members: number;
  /**
   * Values of every kind, at most: one for each comma and each object or array that opens, and the outermost. Of a text
   * that is not JSON too, so that it can be known before it is parsed: the smallest values take ten times their text.
   */
  readonly values: number;
}

/** `mostValues`: beyond it nothing more is looked at. */
export function writtenIn(text: string, mostValues = Infinity): WrittenJson {
  let members = 0;
  let values = 1;
  for (let at = 0; at < text.length && values <= mostValues; at += 1) {
    const character = text.charCodeAt(at);
    if (character === colon) members += 1;
    else if (character === comma || character === brace || character === bracket) values += 1;
    else if (character === quote) at = endOfString(text, at);
  }
  return { members, values };
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const bracket = 0x5b;
const brace = 0x7b;

/** Index of the quote that closes the string which opens at `from`; the text's end where none does. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1;
  return backslashes % 2 === 1;
}
