import {
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeCutOffWrites } from '../../src/files/cut-off-writes.ts';
import { openLibc } from '../../src/native/libc.ts';
import { capturedLog } from '../support/captured-log.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';

const libc = openLibc();
const hex = '0123456789abcdef';
const left = ['.default.json.', '.default.json.before-2026-05-14.', '.api-keys.json.'].map(
  (name) => `${name}${hex}.tmp`,
);
const database = ['', '-journal', '-wal'].map((end) => `agent.db.${hex}.tmp${end}`);
/** What others may have put there, or an operator. */
const others = ['default.json.tmp', `.default.json.${hex}`, `x.${hex}.tmp`, '.x.0123.tmp', '.tmp'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cut-off-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const write = (...path: readonly string[]): void => {
  writeFileSync(join(folder, ...path), 'x', { mode: 0o600 });
};

test('what killed writers left is removed in every folder of the state dir, and nothing else', () => {
  const folders = ['', 'audit', 'keyrings', join('keyrings', 'edge')];
  for (const name of folders) {
    mkdirSync(join(folder, name), { recursive: true });
    for (const file of [...left, ...others]) write(name, file);
  }
  for (const name of database) write(name);
  write('agent.db');
  write('elsewhere');
  const [first = ''] = left;
  rmSync(join(folder, 'audit', first));
  symlinkSync('../elsewhere', join(folder, 'audit', first));
  mkdirSync(join(folder, 'keyrings', `.folder.${hex}.tmp`));
  chownSync(join(folder, 'keyrings', first), 65_534, 65_534);
  const log = capturedLog();
  removeCutOffWrites(folder, libc, log.log);
  const remaining = (name: string): string[] =>
    readdirSync(join(folder, name))
      .filter((file) => !others.includes(file))
      .sort();
  expect(remaining('')).toEqual(['agent.db', 'audit', 'elsewhere', 'keyrings']);
  expect(remaining('audit')).toEqual([first]); // a link
  expect(remaining('keyrings')).toEqual([first, `.folder.${hex}.tmp`, 'edge'].sort()); // another user's
  expect(remaining(join('keyrings', 'edge'))).toEqual([]);
  for (const name of folders) {
    expect(readdirSync(join(folder, name))).toEqual(expect.arrayContaining(others));
  }
  expect(log.lines).toHaveLength(folders.length);
});

test('where a writer is at work, its folder is left alone', () => {
  const [file = ''] = left;
  write(file);
  const fd = openSync(folder, 'r');
  expect(libc.tryLock(fd)).toBe(true);
  removeCutOffWrites(folder, libc, capturedLog().log);
  expect(readdirSync(folder)).toEqual([file]);
  closeSync(fd);
  removeCutOffWrites(folder, libc, capturedLog().log);
  expect(readdirSync(folder)).toEqual([]);
});

test('a start removes it, and an agent that finds another one at work removes nothing', async () => {
  const agent = await new InProcessAgent().start();
  const state = join(agent.folder, 'state');
  const [file = ''] = left;
  const plant = (): void => {
    writeFileSync(join(state, file), 'x', { mode: 0o600 });
  };
  plant();
  const second = new InProcessAgent();
  await expect(second.start(state)).rejects.toThrow('is running an agent');
  expect(readdirSync(state)).toContain(file);
  await agent.stop();
  await agent.start();
  expect(readdirSync(state)).not.toContain(file);
  await agent.remove();
  await second.remove();
});
