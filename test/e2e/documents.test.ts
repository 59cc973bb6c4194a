import { afterAll, describe, expect, test } from 'vitest';
import { DocumentSession } from '../support/document-session.ts';
import { documents, partsOf, readDocument } from '../support/document.ts';

/** The commands of every document, typed into a shell: what they print is what the document says that they do. */

const sessions: DocumentSession[] = [];
afterAll(async () => {
  for (const session of sessions) await session.close();
});

const typed = documents().filter((path) =>
  partsOf(readDocument(path)).some(({ kind }) => kind === 'command'),
);

test('there are such documents', () => {
  expect(typed).toEqual(expect.arrayContaining(['README.md', 'docs/tokens.md']));
});

describe.each(typed)('%s', (path) => {
  test('what its commands print is what stands there', async () => {
    const session = new DocumentSession();
    sessions.push(session);
    const expected: string[] = [];
    const actual: string[] = [];
    for (const part of partsOf(readDocument(path))) {
      const step = await session.play(part);
      if (step === null) continue;
      const typed = `line ${step.line}: $ ${step.command}`;
      expected.push(typed, step.expected);
      actual.push(typed, step.actual);
    }
    expect(actual.join('\n')).toBe(expected.join('\n'));
  });
});
