import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const documents = ['CONTRIBUTING.md', 'docs/architecture.md', 'docs/protocol.md', 'README.md'];

describe.each(documents)('%s', (path) => {
  const text = read(path);

  test('names files and folders that there are', () => {
    const named = [
      ...text.matchAll(/(?<![\w./])((?:src|test|scripts|native-notes)\/[\w./-]*)/g),
    ].map(([, name = '']) => name.replace(/\.$/, ''));
    expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  });

  test('links to files that there are', () => {
    const targets = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, to = '']) => to);
    expect(targets.filter((to) => !existsSync(join(root, dirname(path), to)))).toEqual([]);
  });
});

test('docs/architecture.md has every folder of src/', () => {
  const folders = readdirSync(join(root, 'src')).map((name) => `\`src/${name}\``);
  const text = read('docs/architecture.md');
  expect(folders.filter((folder) => !text.includes(folder))).toEqual([]);
});

test('CONTRIBUTING.md has every folder of test/ that has tests', () => {
  const text = read('CONTRIBUTING.md');
  const folders = readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && hasTests(join(root, 'test', entry.name)))
    .map(({ name }) => `\`test/${name}\``);
  expect(folders.length).toBeGreaterThan(5);
  expect(folders.filter((folder) => !text.includes(folder))).toEqual([]);
});

function hasTests(folder: string): boolean {
  return readdirSync(folder).some((name) => name.endsWith('.test.ts'));
}

test('the licence is the one that package.json names', () => {
  const { license } = JSON.parse(read('package.json')) as { readonly license: string };
  expect(license).toBe('Apache-2.0');
  expect(read('LICENSE')).toMatch(/^\s*Apache License\n\s*Version 2\.0, January 2004\n/);
});
