import { pino } from 'pino';
import { expect, test } from 'vitest';
import { escapingStream } from '../../src/base/log.ts';

/** What a terminal obeys: C0 and C1 controls, DEL, line separators, what turns the direction of writing. */
const hostile =
  'a\u001b[31m\n\u0085\u009b31m\u007f\u2028\u2029\u202e\u2066\u2069\u200f\u061c\u200b\ufeff\u{e0041}é€';

test('names that callers choose are escaped in the log, and say the same', () => {
  const lines: string[] = [];
  const log = pino({ base: null }, escapingStream({ write: (line) => lines.push(line) }));
  log.warn({ exe_best_effort: hostile, method: hostile, [hostile]: 1 }, hostile);
  log.child({ keyring: hostile }).error('child');
  for (const line of lines) {
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}](?!$)/u);
  }
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    exe_best_effort: hostile,
    method: hostile,
    [hostile]: 1,
    msg: hostile,
  });
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ keyring: hostile });
  expect(lines[0]).toContain('é€');
});
