import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Reserve } from '../../src/files/reserve.ts';
import { openLibc } from '../../src/native/libc.ts';

const libc = openLibc();
/** A file system that cannot allocate. */
const without = { allocate: () => false };

let folder: string;
let dir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reserve-'));
  dir = join(folder, 'reserve');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Inode by name: one that was made anew has another, and others may have had its space meanwhile. */
function inodes(): ReadonlyMap<string, number> {
  return new Map(readdirSync(dir).map((name) => [name, statSync(join(dir, name)).ino]));
}

test.each([
  ['allocated', libc],
  ['written', without],
])('files of an agent before are kept as they are, %s', (_, parts) => {
  const { held } = new Reserve(dir, parts);
  const before = inodes();
  const after = new Reserve(dir, parts);
  expect(inodes()).toEqual(before);
  expect(after.held).toBe(held);
});

test('what one had taken, has no space or is of no size that there is does not stay', () => {
  const first = new Reserve(dir, libc);
  const before = inodes();
  const taken = first.take(10);
  if (taken === null) throw new Error('there is a reserve');
  writeFileSync(taken, 'half of a docu');
  writeFileSync(join(dir, '7000'), '', { mode: 0o600 });
  writeFileSync(join(dir, '7001'), Buffer.alloc(20_000), { mode: 0o600 });
  const [kept = ''] = readdirSync(dir).filter((name) => before.has(name));
  truncateSync(join(dir, kept), 100);
  const after = new Reserve(dir, libc);
  const names = readdirSync(dir);
  expect(after.held).toBe(first.held + 16 * 1024);
  expect(names).toHaveLength(before.size);
  for (const name of ['7000', '7001', kept]) expect(names).not.toContain(name);
  expect(names.filter((name) => name.endsWith('.taken'))).toEqual([]);
});

test('what was made by an agent before is nobody else once it is taken', () => {
  new Reserve(dir, libc);
  const after = new Reserve(dir, libc);
  const taken = new Set<string | null>();
  for (let path = after.take(1); path !== null; path = after.take(1)) taken.add(path);
  expect(taken.size).toBe(58);
});
