import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HeadMark, readMark } from '../../src/audit/head-mark.ts';

const stateId = 'ab'.repeat(16);
const head = (seq: number) => ({ seq, hash: 'cd'.repeat(32) });

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'head-mark-'));
  path = join(folder, 'audit.mark');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('says what was noted last, with fewer digits too', () => {
  expect(readMark(path, stateId)).toBeNull();
  const mark = new HeadMark(path, stateId);
  mark.note(head(123_456));
  mark.note(head(7));
  mark.close();
  expect(readMark(path, stateId)).toEqual(head(7));
});

test('of another state dir, cut off or changed, it says nothing', () => {
  const mark = new HeadMark(path, stateId);
  mark.note(head(41));
  mark.close();
  expect(readMark(path, 'ef'.repeat(16))).toBeNull();
  const whole = readFileSync(path, 'latin1');
  for (const text of ['', whole.slice(0, 60), whole.replace('41', '42'), `x${whole}`]) {
    writeFileSync(path, text, { mode: 0o600 });
    expect(readMark(path, stateId)).toBeNull();
  }
});
