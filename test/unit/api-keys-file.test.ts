import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entryOf, noEntries, type ApiKeysDocument } from '../../src/access/api-keys-format.ts';
import { openLibc } from '../../src/native/libc.ts';
import { ApiKeysFile } from '../../src/access/api-keys-file.ts';
import { underFileLock } from '../../src/files/file-lock.ts';
import { Clock, worldWith } from '../support/world.ts';
import { noLedgers } from '../support/ledgers.ts';

const libc = openLibc();
const clock = new Clock();
/** Pauses take the time that they say, on this clock, and none of ours. */
const pauses: number[] = [];
const world = {
  ...worldWith(clock),
  pause: async (milliseconds: number) => {
    pauses.push(milliseconds);
    clock.advance(milliseconds / 1000);
    await new Promise(setImmediate);
  },
};

let dir: string;
let file: ApiKeysFile;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'api-keys-'));
  file = new ApiKeysFile(dir, { libc, world, ledger: noLedgers.apiKeys });
  pauses.length = 0;
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const entry = (id: string, note = '') =>
  entryOf({
    id,
    hash: `sha256:${'00'.repeat(32)}`,
    scope: 'app',
    created_at: '2026-05-14T17:55:00Z',
    note,
  });
const add = (id: string) => (before: ApiKeysDocument) => ({
  document: { entries: [...before.entries, entry(id)] },
  result: id,
});
const ids = (): string[] => file.load().entries.map(({ id }) => id);

describe('the file', () => {
  it('is none where there is none, and is not made by looking', () => {
    expect(file.load()).toEqual(noEntries);
    expect(existsSync(file.path)).toBe(false);
  });

  it('is made by the first change, closed to others, with its lock beside it', async () => {
    expect(await file.change(add('first'), () => undefined)).toBe('first');
    expect(ids()).toEqual(['first']);
    for (const path of [file.path, `${file.path}.lock`]) {
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  });

  it('stays as it is where the change throws', async () => {
    await file.change(add('first'), () => undefined);
    const before = readFileSync(file.path, 'utf8');
    const failing = file.change(
      () => {
        throw new Error('no');
      },
      () => undefined,
    );
    await expect(failing).rejects.toThrow('no');
    expect(readFileSync(file.path, 'utf8')).toBe(before);
    await file.change(add('second'), () => undefined); // and the lock was given back
    expect(ids()).toEqual(['first', 'second']);
  });

  it('tells what was saved while it still keeps others away', async () => {
    let seen: ApiKeysDocument = noEntries;
    const saved = file.change(add('first'), (document) => {
      seen = document;
      const fd = openSync(`${file.path}.lock`, 'r');
      expect(libc.tryLock(fd)).toBe(false);
      closeSync(fd);
    });
    await saved;
    expect(seen.entries.map(({ id }) => id)).toEqual(['first']);
  });

  it.each([
    [
      'open to others',
      () => {
        chmodSync(file.path, 0o640);
      },
      /has mode 0640: run chmod 600/,
    ],
    [
      'no UTF-8',
      () => {
        writeFileSync(file.path, Buffer.of(0xff, 0xfe));
      },
      /is not UTF-8/,
    ],
    [
      'broken',
      () => {
        writeFileSync(file.path, '{');
      },
      /api-keys\.json is refused: it is not JSON/,
    ],
  ])('that is %s is neither loaded nor changed', async (_, spoil, why) => {
    await file.change(add('first'), () => undefined);
    spoil();
    const before = readFileSync(file.path);
    expect(() => file.load()).toThrow(why);
    await expect(file.change(add('second'), () => undefined)).rejects.toThrow(why);
    expect(readFileSync(file.path)).toEqual(before);
  });

  it('is not written through a symbolic link', async () => {
    const target = join(dir, 'target');
    writeFileSync(target, '{"version":1,"keys":[]}', { mode: 0o600 });
    symlinkSync(target, file.path);
    await expect(file.change(add('first'), () => undefined)).rejects.toThrow(/symbolic link/);
    expect(readFileSync(target, 'utf8')).toBe('{"version":1,"keys":[]}');
  });
});

describe('the lock', () => {
  const path = (): string => join(dir, 'x.lock');
  const take = <T>(work: () => Promise<T>) => underFileLock(path(), { libc, world }, work);
  const done = () => Promise.resolve('done');

  it('is waited for, and had in the end', async () => {
    const holder = openSync(path(), 'w', 0o600);
    expect(libc.tryLock(holder)).toBe(true);
    const waiting = underFileLock(
      path(),
      {
        libc,
        world: {
          ...world,
          pause: (milliseconds) => {
            if (pauses.push(milliseconds) === 3) closeSync(holder);
            return Promise.resolve();
          },
        },
      },
      done,
    );
    expect(await waiting).toBe('done');
    expect(pauses.every((pause) => pause >= 5 && pause < 100)).toBe(true);
  });

  it('is waited for 60 s at most, ever more eagerly, and nothing is done then', async () => {
    const holder = openSync(path(), 'w', 0o600);
    expect(libc.tryLock(holder)).toBe(true);
    const started = clock.monotonicNow();
    await expect(take(() => Promise.reject(new Error('done all the same')))).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringMatching(/x\.lock for 60 s: try again; .*fuser/) as string,
    });
    expect(clock.monotonicNow() - started).toBeGreaterThanOrEqual(60_000);
    expect(clock.monotonicNow() - started).toBeLessThan(61_000);
    // Whoever came just now looks every 5 to 100 ms, and must not be first for ever.
    expect(Math.max(...pauses.slice(-50))).toBeLessThan(10);
    closeSync(holder);
    expect(await take(done)).toBe('done');
  });

  it('is no lock any more where its file was replaced meanwhile', async () => {
    const replaced = underFileLock(
      path(),
      {
        world,
        libc: {
          tryLock: (fd) => {
            unlinkSync(path());
            writeFileSync(path(), '', { mode: 0o600 });
            return libc.tryLock(fd);
          },
        },
      },
      () => Promise.reject(new Error('done all the same')),
    );
    await expect(replaced).rejects.toMatchObject({ kind: 'conflict' });
  });

  it.each([
    [
      'a symbolic link',
      () => {
        symlinkSync(join(dir, 'elsewhere'), path());
      },
      /symbolic link/,
    ],
    [
      'a directory',
      () => {
        mkdirSync(path());
      },
      /EISDIR|regular file/,
    ],
    [
      'open to others',
      () => {
        writeFileSync(path(), '', { mode: 0o644 });
      },
      /chmod 600/,
    ],
  ])('is refused where its file is %s', async (_, make, why) => {
    make();
    const refused = take(() => Promise.reject(new Error('done all the same')));
    await expect(refused).rejects.toThrow(why);
    expect(existsSync(join(dir, 'elsewhere'))).toBe(false);
  });
});
