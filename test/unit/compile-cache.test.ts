import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownCache } from '../../src/bin/compile-cache.ts';

const uid = process.geteuid?.() ?? 0;
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'home-'));
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const cache = (): string | null => ownCache(() => ({ homedir: home, uid }));

describe('the folder of compiled code', () => {
  test('is made below the home, closed to others', () => {
    const directory = join(home, '.cache', 'signing-agent', 'compiled');
    expect(cache()).toBe(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(cache()).toBe(directory);
  });

  test.each(['', '.cache', '.cache/signing-agent', '.cache/signing-agent/compiled'])(
    'is not used where others may write "%s"',
    (folder) => {
      cache();
      for (const mode of [0o770, 0o707, 0o1777]) {
        chmodSync(join(home, folder), mode);
        expect(cache(), mode.toString(8)).toBeNull();
      }
      chmodSync(join(home, folder), 0o755);
      expect(cache()).not.toBeNull();
    },
  );

  test.each(['.cache', '.cache/signing-agent', '.cache/signing-agent/compiled'])(
    'is not used where "%s" is a link',
    (folder) => {
      const elsewhere = join(home, 'elsewhere');
      mkdirSync(elsewhere, { mode: 0o700 });
      mkdirSync(join(home, folder, '..'), { recursive: true, mode: 0o700 });
      symlinkSync(elsewhere, join(home, folder));
      expect(cache()).toBeNull();
    },
  );

  test.runIf(uid === 0)('is not used where another user has a part of it', () => {
    cache();
    chownSync(join(home, '.cache'), 65_534, 65_534);
    expect(cache()).toBeNull();
  });

  test('there is none without a home, or in one that is no folder', () => {
    const file = join(home, 'file');
    writeFileSync(file, '');
    expect(ownCache(() => ({ homedir: file, uid }))).toBeNull();
    const noHome = (): never => {
      throw new Error('no entry for this user');
    };
    expect(ownCache(noHome)).toBeNull();
  });
});
