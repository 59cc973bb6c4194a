import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** Beyond that nobody holds a folder in mind. */
const mostFiles = 30;

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Files of each folder below, by the folder's path from the top. */
function filesByFolder(top: string): ReadonlyMap<string, readonly string[]> {
  const folders = new Map<string, string[]>();
  for (const entry of readdirSync(join(root, top), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const folder = join(entry.parentPath).slice(root.length);
    folders.set(folder, [...(folders.get(folder) ?? []), entry.name]);
  }
  return folders;
}

// The arrows between the folders are the linter's: .dependency-cruiser.cjs.
it('no file lies loose in src/', () => {
  expect(filesByFolder('src').get('src') ?? []).toEqual([]);
});

it(`no folder of src/ has more than ${mostFiles} files`, () => {
  const full = [...filesByFolder('src')].filter(([, files]) => files.length > mostFiles);
  expect(full.map(([folder, files]) => `${folder}: ${files.length}`)).toEqual([]);
});
