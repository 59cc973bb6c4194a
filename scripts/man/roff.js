// Text as roff with the macros of man(7).

/** A line of text in ASCII, which every locale shows: nothing in it is taken for a request or an escape. */
export function escaped(text) {
  return text
    .replaceAll('…', '...')
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(/^\./, '\\&.');
}

export const bold = (text) => `\\fB${escaped(text)}\\fR`;
export const italic = (text) => `\\fI${escaped(text)}\\fR`;

/** Words in `backticks` are bold. */
export function inline(text) {
  return text
    .split(/`([^`]+)`/)
    .map((part, at) => (at % 2 === 1 ? bold(part) : escaped(part)))
    .join('');
}

/** When the pages were looked through last. */
const revised = '2026-11-28';

export const title = (name, section, version) =>
  `.TH ${name.toUpperCase()} ${section} ${revised} "signing\\-agent ${version}" "signing\\-agent"`;
export const heading = (text) => `.SH ${text.toUpperCase()}`;
export const subheading = (text) => `.SS ${text}`;
export const paragraph = (text) => `.PP\n${inline(text)}`;
export const tagged = (tag, text) => `.TP\n${tag}\n${text}`;
/** As it stands: commands, configuration. */
export const verbatim = (lines) =>
  ['.PP', '.RS 4', '.nf', ...lines.map((line) => escaped(line) || '\\&'), '.fi', '.RE'].join('\n');

/** A page of its parts, each a piece of roff. A heading begins a paragraph by itself. */
export const page = (parts) =>
  `${parts.flat(Infinity).join('\n')}\n`.replaceAll(/^(\.S[HS] .*)\n\.PP\n/gm, '$1\n');
