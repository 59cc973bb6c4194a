/**
 * Pattern lists (ssh_config(5), PATTERNS): patterns with commas between them, `*` for any number of characters and
 * `?` for one, `!` before a pattern that must not match. Whoever matches bytes hands in one character a byte.
 */

/** As OpenSSH cuts them: a longer pattern makes the list match nothing. */
const longestPattern = 1023;

/** Whether a pattern matches, and none of those with `!` before them does. */
export function matchesPatternList(text: string, list: string): boolean {
  let matched = false;
  for (const entry of list.split(',')) {
    const negated = entry.startsWith('!');
    const pattern = negated ? entry.slice(1) : entry;
    if (pattern.length >= longestPattern) return false;
    if (!matchesPattern(text, pattern)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

/** Goes back to the last `*` alone: no text and pattern take longer than their product. */
function matchesPattern(text: string, pattern: string): boolean {
  let at = 0;
  let next = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    if (pattern[next] === '*') {
      star = next;
      next += 1;
      resume = at;
    } else if (next < pattern.length && (pattern[next] === '?' || pattern[next] === text[at])) {
      next += 1;
      at += 1;
    } else if (star >= 0) {
      next = star + 1;
      resume += 1;
      at = resume;
    } else {
      return false;
    }
  }
  while (pattern[next] === '*') next += 1;
  return next === pattern.length;
}
