import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** What `npm pack` puts into the package of the agent. */

const root = join(import.meta.dirname, '..', '..');

interface Packed {
  readonly files: readonly { readonly path: string }[];
}
interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly man: readonly string[];
  readonly exports: Readonly<Record<string, unknown>>;
}

const packed = JSON.parse(
  execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    ...{ cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  }),
) as readonly Packed[];
const files = packed[0]?.files.map(({ path }) => path) ?? [];
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

/** Every file that a condition of `exports` leads to. */
function targets(exported: unknown): readonly string[] {
  if (typeof exported === 'string') return [exported];
  return Object.values(exported as Readonly<Record<string, unknown>>).flatMap(targets);
}

test('all that package.json promises is in it: programs, man pages, the library', () => {
  const promised = [...Object.values(manifest.bin), ...manifest.man, ...targets(manifest.exports)];
  expect(promised.length).toBeGreaterThan(8);
  const paths = promised.map((path) => path.replace(/^\.\//, ''));
  expect(paths.filter((path) => !files.includes(path))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'dist/LICENSES.txt', 'README.md']));
});

test('the types of the library are all that is there of types, and no source', () => {
  expect(files.filter((path) => /\.d\.[cm]?ts$/.test(path)).sort()).toEqual([
    ...['dist/client/index.d.cts', 'dist/client/index.d.ts'],
  ]);
  expect(files.filter((path) => /^(?:src|test|scripts)\//.test(path))).toEqual([]);
  expect(files.filter((path) => /(?<!\.d)\.[cm]?ts$/.test(path))).toEqual([]);
  // It is a package of its own there, whose manifest would speak for the wrong folder here.
  expect(files).not.toContain('dist/client/package.json');
});
