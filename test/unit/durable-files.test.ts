import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundled } from '../support/bundled.ts';
import { openLibc } from '../../src/native/libc.ts';
import { durableFiles } from '../../src/files/durable-files.ts';

const files = durableFiles(openLibc());
/** Bytes that are read, and so that are written. */
const longestFile = 64 * 1024 * 1024;
const writer = bundled(new URL('../support/file-writer.js', import.meta.url));
const writerArguments = [writer];

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'files-'));
  path = join(directory, 'state.json');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function writePrivate(text: string | Buffer): void {
  writeFileSync(path, text, { mode: 0o600 });
}

/** Waits until the file's times are old enough to tell edits apart: at most a few ticks of the kernel. */
async function readAged() {
  for (;;) {
    const content = files.read(path);
    if (content?.identity === files.identify(path)) return content;
    await new Promise(setImmediate);
  }
}

describe('read', () => {
  it('answers null where there is no file', () => {
    expect(files.read(path)).toBeNull();
    expect(files.identify(path)).toBeNull();
  });

  it('answers the bytes and the time of the last change', () => {
    writePrivate('content');
    utimesSync(path, 1_700_000_000, 1_700_000_000.5);
    const content = files.read(path);
    expect(content?.bytes.toString()).toBe('content');
    expect(content?.modifiedAt).toBe(1_700_000_000_500);
  });

  it.each([0o640, 0o604, 0o620, 0o601])('refuses mode %o with the remedy', (mode) => {
    writePrivate('x');
    chmodSync(path, mode);
    expect(() => files.read(path)).toThrow(`0${mode.toString(8)}: run chmod 600 ${path}`);
  });

  it('refuses a symbolic link, a directory, a FIFO', () => {
    symlinkSync(join(directory, 'target'), path);
    expect(() => files.read(path)).toThrow(`${path} is a symbolic link`);
    rmSync(path);
    mkdirSync(path);
    expect(() => files.read(path)).toThrow(`${path} is not a regular file`);
    rmSync(path, { recursive: true });
    execFileSync('mkfifo', ['-m', '600', path]);
    expect(() => files.read(path)).toThrow(`${path} is not a regular file`);
  });

  it('refuses more than 64 MiB', () => {
    writePrivate('');
    truncateSync(path, longestFile + 1);
    expect(() => files.read(path)).toThrow('is longer than');
  });

  it('refuses a file in a directory that others may write, unless it is sticky', () => {
    writePrivate('x');
    chmodSync(directory, 0o777);
    expect(() => files.read(path)).toThrow(`run chmod go-w ${directory}`);
    chmodSync(directory, 0o1777);
    expect(files.read(path)).not.toBeNull();
  });

  it.runIf(process.geteuid?.() === 0)('refuses the file and the directory of another user', () => {
    writePrivate('x');
    chownSync(path, 12345, 12345);
    expect(() => files.read(path)).toThrow(`${path} belongs to uid 12345`);
    chownSync(path, 0, 0);
    chownSync(directory, 12345, 12345);
    expect(() => files.read(path)).toThrow(`${directory} belongs to uid 12345`);
  });
});

describe('identity', () => {
  it('settles on what identify says', async () => {
    writePrivate('x');
    const { identity } = await readAged();
    expect(files.read(path)?.identity).toBe(identity);
  });

  it('never takes an edit in place of equal size for the content that was read', () => {
    for (let round = 0; round < 200; round++) {
      writePrivate(`before ${round}`);
      const content = files.read(path);
      writePrivate(`after! ${round}`);
      const seen = files.identify(path) === content?.identity ? content : files.read(path);
      expect(seen?.bytes.toString()).toBe(`after! ${round}`);
    }
  });

  it('sees an edit in place right after replace', async () => {
    const identity = await files.replace(path, Buffer.from('ours'), null);
    writePrivate('hers');
    expect(files.identify(path)).not.toBe(identity);
    await expect(files.replace(path, Buffer.from('more'), identity)).rejects.toMatchObject({
      kind: 'conflict',
    });
  });
});

describe('replace', () => {
  it('makes a file of mode 0600 and leaves nothing else', async () => {
    await files.replace(path, Buffer.from('one'), null);
    expect(readFileSync(path, 'utf8')).toBe('one');
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['state.json']);
  });

  it('accepts the identity that replace answered, and that of young and old content', async () => {
    const identity = await files.replace(path, Buffer.from('1'), null);
    await files.replace(path, Buffer.from('2'), identity);
    await files.replace(path, Buffer.from('3'), files.read(path)?.identity ?? null);
    await files.replace(path, Buffer.from('4'), (await readAged()).identity);
    expect(readFileSync(path, 'utf8')).toBe('4');
  });

  it('refuses more bytes than are read again, and leaves what was there', async () => {
    const identity = await files.replace(path, Buffer.from('one'), null);
    const tooLong = Buffer.alloc(longestFile + 1);
    await expect(files.replace(path, tooLong, identity)).rejects.toMatchObject({
      kind: 'backend_unavailable',
      message: expect.stringContaining(
        `${path} would be longer than ${longestFile} bytes`,
      ) as string,
    });
    expect(files.read(path)?.bytes.toString()).toBe('one');
    expect(readdirSync(directory)).toEqual(['state.json']);
    await files.replace(path, tooLong.subarray(1), identity);
    expect(files.read(path)?.bytes.length).toBe(longestFile);
  });

  it('is a conflict where the file is new, gone or another one', async () => {
    const identity = await files.replace(path, Buffer.from('1'), null);
    const conflict = { kind: 'conflict' };
    await expect(files.replace(path, Buffer.from('2'), null)).rejects.toMatchObject(conflict);
    await files.replace(path, Buffer.from('2'), identity);
    await expect(files.replace(path, Buffer.from('3'), identity)).rejects.toMatchObject(conflict);
    rmSync(path);
    await expect(files.replace(path, Buffer.from('3'), identity)).rejects.toMatchObject(conflict);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('refuses a symbolic link and leaves its target alone', async () => {
    const target = join(directory, 'target');
    writeFileSync(target, 'precious', { mode: 0o600 });
    symlinkSync(target, path);
    await expect(files.replace(path, Buffer.from('x'), null)).rejects.toThrow('symbolic link');
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });

  it('names a directory that is missing', async () => {
    const lost = join(directory, 'lost', 'state.json');
    await expect(files.replace(lost, Buffer.from('x'), null)).rejects.toThrow('does not exist');
  });

  it('removes what a killed writer left, and only that', async () => {
    writeFileSync(join(directory, '.state.json.0123456789abcdef.tmp'), 'half');
    writeFileSync(
      join(directory, '.state.json.before-restore-1.0123456789abcdef.tmp'),
      'of a copy',
    );
    writeFileSync(join(directory, '.state.json.notes.tmp'), 'not ours');
    await files.replace(path, Buffer.from('x'), null);
    expect(readdirSync(directory).sort()).toEqual(['.state.json.notes.tmp', 'state.json']);
  });

  it('loses no update of several processes', async () => {
    const times = 10;
    const writers = [1, 2, 3].map(() =>
      spawn(process.execPath, [...writerArguments, 'count', path, String(times)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    );
    const codes = await Promise.all(writers.map((child) => once(child, 'exit')));
    expect(codes).toEqual([
      [0, null],
      [0, null],
      [0, null],
    ]);
    expect(readFileSync(path, 'utf8')).toBe(String(3 * times));
    expect(readdirSync(directory)).toEqual(['state.json']);
  });

  it('leaves the old or the new content when the writer is killed', async () => {
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [...writerArguments, 'flip', path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let written = 0;
      child.stdout.on('data', (chunk: Buffer) => {
        written += chunk.length / 2;
        // Somewhere within the next write, each time elsewhere.
        if (written > 3 + round) setTimeout(() => child.kill('SIGKILL'), round);
      });
      await once(child, 'exit');
      const content = readFileSync(path);
      expect(content.length).toBe(256 * 1024);
      expect(new Set(content).size).toBe(1);
    }
    await files.replace(path, Buffer.from('x'), files.read(path)?.identity ?? null);
    expect(readdirSync(directory)).toEqual(['state.json']);
  });

  it('keeps the old content when the file system takes no more', () => {
    writePrivate('old');
    const limited = ['--fsize=16384', '--', process.execPath, ...writerArguments];
    const said = execFileSync('prlimit', [...limited, 'once', path, '65536'], { encoding: 'utf8' });
    expect(said).toBe(`backend_unavailable: cannot replace ${path}: EFBIG`);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(directory)).toEqual(['state.json']);
  });
});
