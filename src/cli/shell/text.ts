/**
 * Text that came from somewhere else, made safe for a terminal: control characters, and format characters
 * such as those that turn the direction of writing, are shown and not obeyed.
 */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

export function escapeControls(text: string): string {
  return text.replace(unprintable, escapeOne);
}

/** One line of JSON. What JSON itself would leave as it is and a terminal obeys is escaped too. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(unprintable, (character) =>
    [...Array(character.length).keys()].map((at) => unicodeEscape(character, at)).join(''),
  );
}

function escapeOne(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function unicodeEscape(text: string, at: number): string {
  return `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`;
}
