import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { executableOf } from '../../src/native/executable.ts';

test('a path that a caller chose is cut to 200 bytes, between characters', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'executable-'));
  const deep = join(folder, 'é'.repeat(90), 'é'.repeat(90));
  mkdirSync(deep, { recursive: true });
  const program = join(deep, 'cat');
  copyFileSync('/bin/cat', program);
  const child = spawn(program, { stdio: ['pipe', 'ignore', 'inherit'] });
  try {
    await once(child, 'spawn');
    const path = executableOf(child.pid ?? 0) ?? '';
    expect(Buffer.byteLength(path)).toBeLessThanOrEqual(200);
    expect(Buffer.byteLength(path)).toBeGreaterThan(196);
    expect(path).toMatch(/é…$/);
    expect(program.startsWith(path.slice(0, -1))).toBe(true);
  } finally {
    child.stdin.end();
    await once(child, 'exit');
    rmSync(folder, { recursive: true });
  }
});

test('of a process that is gone nothing is known', () => {
  expect(executableOf(0)).toBeNull();
  expect(executableOf(process.pid)).toBe(process.execPath);
});
