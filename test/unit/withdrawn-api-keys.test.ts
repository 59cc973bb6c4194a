import { describe, expect, test } from 'vitest';
import { entryOf, type ApiKeysDocument } from '../../src/access/api-keys-format.ts';
import {
  isStranger,
  knownAfter,
  nothingKnown,
  withoutWithdrawn,
} from '../../src/access/withdrawn-api-keys.ts';

const entry = (id: string, byte: number, scope = 'app') =>
  entryOf({
    id,
    hash: `sha256:${Buffer.alloc(32, byte).toString('hex')}`,
    scope,
    created_at: '2026-05-14T17:55:00.000Z',
  });
const file = (...entries: ReturnType<typeof entry>[]): ApiKeysDocument => ({ entries });
const usable = (document: ApiKeysDocument): readonly string[] =>
  document.entries.flatMap(({ id, key }) => (key === null ? [] : [id]));

describe('an older copy of the API keys file', () => {
  const before = file(entry('kept', 1), entry('taken', 2));

  test('gives nobody a key that was taken back, also after it was looked at', () => {
    const known = knownAfter(nothingKnown, before, file(entry('kept', 1)));
    const older = withoutWithdrawn(before, known);
    expect(usable(older)).toEqual(['kept']);
    expect(older.entries[1]?.refused).toContain('agentctl apikey revoke taken');
    expect(usable(withoutWithdrawn(before, knownAfter(known, older, older)))).toEqual(['kept']);
  });

  test('gives nobody what a key was allowed before it was changed', () => {
    const after = file(entry('kept', 1, 'reader'), entry('taken', 2));
    const known = knownAfter(nothingKnown, before, after);
    expect(usable(withoutWithdrawn(before, known))).toEqual(['taken']);
    expect(usable(withoutWithdrawn(after, known))).toEqual(['kept', 'taken']);
    // Changed back on purpose, it counts again.
    const back = knownAfter(known, after, before);
    expect(usable(withoutWithdrawn(before, back))).toEqual(['kept', 'taken']);
    expect(usable(withoutWithdrawn(after, back))).toEqual(['taken']);
  });
});

test("a file with none of the keys that were there is another agent's", () => {
  const own = file(entry('kept', 1), entry('other', 2));
  const known = knownAfter(nothingKnown, own, own);
  expect(isStranger(file(entry('kept', 9)), known)).toBe(true);
  expect(isStranger(file(entry('kept', 9), entry('other', 2)), known)).toBe(false);
  expect(isStranger(file(), known)).toBe(false);
  expect(isStranger(file(entry('kept', 9)), nothingKnown)).toBe(false);
});
