import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { withTables } from '../../scripts/protocol-page.js';
import type { OpenRpcDocument } from '../../src/api/discovery.ts';
import { methodCatalogue } from '../../src/api/methods.ts';
import { errorCodes } from '../../src/base/errors.ts';

const docs = (name: string): string =>
  readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const page = docs('protocol.md');
const document = JSON.parse(docs('openrpc.json')) as OpenRpcDocument;

test('the tables are what docs/openrpc.json makes of them: else run scripts/protocol-page.js', () => {
  expect(withTables(page, document)).toBe(page);
});

test('every method has a section, and every kind of error a row', () => {
  for (const name of Object.keys(methodCatalogue)) expect(page).toContain(`\n### \`${name}\`\n`);
  for (const [kind, code] of Object.entries(errorCodes)) {
    expect(page).toContain(`\n| \`${kind}\` | ${code} | `);
  }
});

describe.each(Object.keys(errorCodes))('%s', (kind) => {
  const row = page.split('\n').find((line) => line.startsWith(`| \`${kind}\` | -`)) ?? '';
  const [, , meaning = '', repeat = '', operator = '', data = ''] = row.split(' | ');

  test('says what it means, whether repeating helps, and what an operator does', () => {
    for (const text of [meaning, repeat, operator])
      expect(text).toMatch(/^[A-Za-z].{8,}\.$|^No\.$/);
    expect(repeat).toMatch(/^(?:Yes|No|Perhaps|After)\b/);
    expect(meaning).not.toBe(operator);
  });

  test('where the agent says when to repeat, repeating helps', () => {
    const tells = data.includes('retry_after_ms');
    const promises = repeat.includes('retry_after_ms');
    expect(tells || !promises).toBe(true);
    if (tells) expect(repeat).toMatch(/^Yes\b/);
  });
});

test('a page without a place for a table is refused, not left without it', () => {
  const without = page.replace('<!-- begin: errors -->', '');
  expect(() => withTables(without, document)).toThrow('no place for errors');
});

test('links within the page lead somewhere', () => {
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  const targets = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, target]) => target);
  expect(targets.length).toBeGreaterThan(50);
  expect(headings).toEqual(expect.arrayContaining(targets));
});
