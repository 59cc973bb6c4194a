import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSealed, sealFor } from '../../src/formats/age/sealing.ts';

interface Pair {
  readonly file: string;
  readonly identity: string;
  readonly recipient: string;
}

/** More than one chunk of age's (64 KiB), and not a whole number of them. */
const long = Buffer.alloc(150_001, 'long ');
let folder: string;
let pairs: readonly [Pair, Pair, Pair];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealing-'));
  const pair = (name: string): Pair => {
    const file = join(folder, name);
    const identity = execFileSync('age-keygen', { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
    writeFileSync(file, identity, { mode: 0o600 });
    const recipient = execFileSync('age-keygen', ['-y', file]).toString().trim();
    return { file, identity: /^AGE-SECRET-KEY-1.*$/m.exec(identity)?.[0] ?? '', recipient };
  };
  pairs = [pair('one'), pair('two'), pair('three')];
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function age(args: readonly string[], input: string | Uint8Array): Buffer {
  return execFileSync('age', args, { input, stdio: ['pipe', 'pipe', 'ignore'] });
}

describe('what is sealed', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a word', Buffer.from('secret')],
    ['more than a chunk', long],
  ])(
    'of %s, the age program opens with any of the identities, and with no other',
    async (_, text) => {
      const [one, two, three] = pairs;
      const sealed = await sealFor([one.recipient, two.recipient], text);
      expect(sealed).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/);
      expect(age(['-d', '-i', one.file], sealed)).toEqual(text);
      expect(age(['-d', '-i', two.file], sealed)).toEqual(text);
      expect(() => age(['-d', '-i', three.file], sealed)).toThrow();
    },
  );

  test('is another text each time', async () => {
    const [{ recipient }] = pairs;
    const twice = [await sealFor([recipient], long), await sealFor([recipient], long)];
    expect(twice[0]).not.toBe(twice[1]);
  });

  test('is for somebody', async () => {
    await expect(sealFor([], long)).rejects.toThrow(/nobody/);
  });
});

describe('what the age program has sealed', () => {
  test.each([
    ['binary', [], Buffer.from('secret')],
    ['armored', ['-a'], Buffer.from('secret')],
    ['binary and long', [], long],
    ['armored and long', ['-a'], long],
    ['nothing', [], Buffer.alloc(0)],
  ])('is opened: %s', async (_, flags, text) => {
    const [one, two, three] = pairs;
    const sealed = age([...flags, '-r', one.recipient, '-r', two.recipient], text);
    expect(await openSealed(sealed, [two.identity])).toEqual(text);
    expect(await openSealed(sealed, [three.identity, one.identity])).toEqual(text);
    await expect(openSealed(sealed, [three.identity])).rejects.toThrow(/no identity matched/);
  });

  test.each([
    ['binary', [] as string[]],
    ['armored', ['-a']],
  ])('is refused where it is cut short or changed: %s', async (_, flags) => {
    const [{ recipient, identity }] = pairs;
    const sealed = age([...flags, '-r', recipient], long);
    for (const length of [
      0,
      10,
      100,
      200,
      65_536,
      100_000,
      sealed.length - 40,
      sealed.length - 2,
    ]) {
      await expect(
        openSealed(sealed.subarray(0, length), [identity]),
        String(length),
      ).rejects.toThrow();
    }
    for (const at of [5, 60, 120, 190, 5000, sealed.length - 60]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(openSealed(changed, [identity]), String(at)).rejects.toThrow();
    }
  });
});
