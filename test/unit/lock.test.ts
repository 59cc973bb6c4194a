import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLibc } from '../../src/native/libc.ts';
import { ensurePrivateDir } from '../../src/files/checked-dir.ts';
import { AlreadyRunningError, lockHolder, lockStateDir } from '../../src/files/state-dir-lock.ts';

const libc = openLibc();
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lock-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function modeOf(path: string): number {
  return statSync(path).mode & 0o7777;
}

/** Always as long: what the file has of the disk stays its own. */
function inFile(pid: number | ''): string {
  return `${String(pid).padEnd(15)}\n`;
}

describe('lockStateDir', () => {
  it('writes the pid into a file of mode 0600', () => {
    const lock = lockStateDir(directory, libc);
    expect(readFileSync(join(directory, 'lock'), 'utf8')).toBe(inFile(process.pid));
    expect(modeOf(join(directory, 'lock'))).toBe(0o600);
    lock.release();
  });

  it('names the process that holds it', () => {
    const lock = lockStateDir(directory, libc);
    const second = (): unknown => lockStateDir(directory, libc);
    expect(second).toThrow(AlreadyRunningError);
    expect(second).toThrow(`process ${process.pid} is running`);
    lock.release();
  });

  it('is free again after release, which may be called twice', () => {
    const lock = lockStateDir(directory, libc);
    lock.release();
    lock.release();
    lockStateDir(directory, libc).release();
  });

  it('is not inherited by a child process', async () => {
    const lock = lockStateDir(directory, libc);
    const child = spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.write('running\n');
    await once(child.stdout, 'data');
    lock.release();
    lockStateDir(directory, libc).release();
    child.stdin.end();
    await once(child, 'exit');
  });

  it('ignores what an agent left behind that was killed', () => {
    writeFileSync(join(directory, 'lock'), '1\n', { mode: 0o600 });
    const lock = lockStateDir(directory, libc);
    expect(readFileSync(join(directory, 'lock'), 'utf8')).toBe(inFile(process.pid));
    lock.release();
  });

  it('keeps the room that its file has on the disk, whoever comes and goes', () => {
    lockStateDir(directory, libc).release();
    const file = join(directory, 'lock');
    expect(readFileSync(file, 'utf8')).toBe(inFile(''));
    expect(lockHolder(directory)).toEqual({ held: false, pid: null });
  });

  it('refuses a symbolic link, a directory and a loose mode by name', () => {
    const file = join(directory, 'lock');
    symlinkSync(join(directory, 'elsewhere'), file);
    expect(() => lockStateDir(directory, libc)).toThrow(`${file} is a symbolic link`);
    rmSync(file);
    mkdirSync(file);
    expect(() => lockStateDir(directory, libc)).toThrow(file);
    rmSync(file, { recursive: true });
    writeFileSync(file, '');
    chmodSync(file, 0o644);
    expect(() => lockStateDir(directory, libc)).toThrow(`chmod 600 ${file}`);
  });
});

describe('lockHolder', () => {
  it('names the file that it may not look at', () => {
    const loop = join(directory, 'loop');
    symlinkSync(loop, loop);
    const file = join(loop, 'lock');
    expect(() => lockHolder(loop)).toThrow(
      expect.objectContaining({
        kind: 'backend_unavailable',
        message: `cannot examine ${file}: ELOOP`,
      }),
    );
  });
});

describe('ensurePrivateDir', () => {
  it('makes every missing directory with mode 0700', () => {
    ensurePrivateDir(join(directory, 'a', 'b'));
    expect(modeOf(join(directory, 'a'))).toBe(0o700);
    expect(modeOf(join(directory, 'a', 'b'))).toBe(0o700);
    ensurePrivateDir(join(directory, 'a', 'b'));
  });

  it('refuses a loose mode with the remedy', () => {
    chmodSync(directory, 0o750);
    expect(() => {
      ensurePrivateDir(directory);
    }).toThrow(`has mode 0750: run chmod 700 ${directory}`);
  });

  it('refuses a symbolic link, with a slash behind it as well', () => {
    const link = join(directory, 'link');
    symlinkSync(directory, link);
    for (const path of [link, `${link}/`]) {
      expect(() => {
        ensurePrivateDir(path);
      }).toThrow(`${link} is a symbolic link`);
    }
  });

  it('refuses a file, at the end or on the way', () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    expect(() => {
      ensurePrivateDir(file);
    }).toThrow(`${file} is not a directory`);
    expect(() => {
      ensurePrivateDir(join(file, 'below'));
    }).toThrow('something above it is not a directory');
  });
});
