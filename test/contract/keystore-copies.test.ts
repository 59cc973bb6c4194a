import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/base/base64.ts';
import { AgentError } from '../../src/base/errors.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { kidOf } from '../../src/algorithms/kid.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { FileKeystore } from '../../src/vault/file/keystore.ts';
import { KeystoreCopies } from '../../src/vault/file/keystore-copies.ts';
import { publicKeyOf } from '../../src/vault/file/seed.ts';
import { opensslVerifies } from '../support/openssl.ts';
import { Clock, worldWith } from '../support/world.ts';

let folder: string;
let path: string;
let copyPath: string;
let clock: Clock;
let copies: KeystoreCopies;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'copies-'));
  path = join(folder, 'ci.json');
  copyPath = join(folder, 'copies', 'ci.json');
  clock = new Clock();
  copies = new KeystoreCopies({ name: 'ci', path, copyPath }, worldWith(clock));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const seeds = [1, 2, 3].map((byte) => Buffer.alloc(32, byte));
const publicKeys = seeds.map(publicKeyOf);
const [a = '', b = '', c = ''] = publicKeys.map(kidOf);

/** A keystore with those of the three keys, the first of them active. */
function keystore(
  kids: readonly string[],
  members: Readonly<Record<string, unknown>> = {},
): Buffer {
  const keys = kids.map((id) => ({
    id,
    seed_b64: encodeBase64(seeds[[a, b, c].indexOf(id)] ?? Buffer.alloc(0)),
    created_at: '2026-05-14T17:55:00.123456789+00:00',
  }));
  return Buffer.from(JSON.stringify({ version: 1, keys, active: kids[0], ...members }));
}

function put(bytes: Uint8Array): void {
  writeFileSync(path, bytes, { mode: 0o600 });
}

/** The kept copies, by content. */
function kept(): readonly string[] {
  return readdirSync(folder).filter((name) => name.startsWith('ci.json.before-restore-'));
}

function revokedMember(kid: string, publicKey: Uint8Array | undefined): Record<string, unknown> {
  const public_key_b64 = encodeBase64(publicKey ?? Buffer.alloc(0));
  const at = '2026-05-14T17:00:00Z';
  return { [kid]: { at, public_key_b64, created_at: at } };
}

describe('a backup takes', () => {
  test('the document as it stands in the file, foreign members too', () => {
    const bytes = keystore([a, b], { of_another_program: { kept: true } });
    put(bytes);
    expect(copies.take()).toEqual({ bytes, kids: [a, b] });
  });

  test.each([
    ['no file', null, /is not there: nothing to back up/],
    ['no JSON', Buffer.from('{'), /is no keystore v1: it is not JSON\. Nothing was backed up/],
    ['another key than its id', keystore([a]).toString().replaceAll(a, b), /is the seed of key/],
  ])('nothing of %s', (_, content, why) => {
    if (content !== null) put(Buffer.from(content));
    expect(() => copies.take()).toThrow(why);
  });
});

describe('a restore', () => {
  test('makes the file where there is none', async () => {
    const bytes = keystore([a, b]);
    expect(await copies.restore(Buffer.from(bytes), { replace: false })).toEqual({
      keyring: 'ci',
      file: path,
      previous_file: null,
      latest_time_ahead: null,
      active_kid: a,
      previous_active_kid: null,
      kids: [a, b],
      returning: [a, b],
      leaving: [],
      unrevoked: [],
    });
    expect(readFileSync(path)).toEqual(bytes);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('replaces nothing unless it is told to, and tells what it would change', async () => {
    const before = keystore([b], { revoked: revokedMember(c, publicKeys[2]) });
    put(before);
    const refused = copies.restore(keystore([a, c]), { replace: false });
    await expect(refused).rejects.toMatchObject({
      kind: 'already_exists',
      details: { active_kid: a, returning: [a, c], leaving: [b], unrevoked: [c] },
      message: expect.stringMatching(
        `would come back: ${a}, ${c}; would be gone: ${b}; would be valid again although revoked since: ${c}$`,
      ) as string,
    });
    expect(readFileSync(path)).toEqual(before);
    expect(kept()).toEqual([]);
  });

  test('keeps what was there beside it', async () => {
    const before = keystore([b]);
    put(before);
    const restored = await copies.restore(keystore([a]), { replace: true });
    const previous = `${path}.before-restore-20260514T175500.000Z`;
    expect(restored).toMatchObject({ previous_file: previous, previous_active_kid: b });
    expect(readFileSync(previous)).toEqual(before);
    expect(statSync(previous).mode & 0o777).toBe(0o600);
    expect(readFileSync(path)).toEqual(keystore([a]));
  });

  test('that somebody else was quicker than leaves no copy behind; one that failed otherwise does', async () => {
    const before = keystore([a]);
    put(before);
    const world = worldWith(clock);
    const failing = (fail: () => void): KeystoreCopies =>
      new KeystoreCopies(
        { name: 'ci', path, copyPath },
        {
          ...world,
          files: {
            ...world.files,
            replace: async (file, bytes, expected) => {
              if (file === path) fail();
              return world.files.replace(file, bytes, expected);
            },
          },
        },
      );
    const quicker = failing(() => {
      put(keystore([a, b]));
    });
    await expect(quicker.restore(keystore([c]), { replace: true })).rejects.toMatchObject({
      kind: 'conflict',
    });
    expect(readFileSync(path)).toEqual(keystore([a, b]));
    expect(kept()).toEqual([]);
    const broken = failing(() => {
      throw new AgentError('backend_unavailable', 'no answer to fsync');
    });
    await expect(broken.restore(keystore([c]), { replace: true })).rejects.toThrow('no answer');
    expect(kept()).toHaveLength(1);
  });

  test('replaces a file that cannot be read, and keeps it', async () => {
    put(Buffer.from('{"version": 2}'));
    await expect(copies.restore(keystore([a]), { replace: false })).rejects.toThrow(
      /what is there cannot be read: version/,
    );
    const restored = await copies.restore(keystore([a]), { replace: true });
    expect(restored).toMatchObject({ previous_active_kid: null, leaving: [], returning: [a] });
    expect(readFileSync(restored.previous_file ?? '', 'utf8')).toBe('{"version": 2}');
  });

  test('knows a raw seed for the key that it is', async () => {
    put(seeds[1] ?? Buffer.alloc(0));
    const restored = await copies.restore(keystore([a]), { replace: true });
    expect(restored).toMatchObject({ previous_active_kid: b, leaving: [b] });
    expect(readFileSync(restored.previous_file ?? '')).toEqual(seeds[1]);
  });

  test('says so where the clock is behind what the keystore has seen', async () => {
    const seen = (latest_time: string): Buffer => keystore([a], { latest_time });
    const restored = async (bytes: Buffer): Promise<string | null> =>
      (await copies.restore(bytes, { replace: true })).latest_time_ahead;
    expect(await restored(seen('2026-05-14T17:55:30Z'))).toBeNull(); // a correction of the clock
    clock.advance(1);
    expect(await restored(seen('2099-01-01T00:00:00Z'))).toBe('2099-01-01T00:00:00Z');
    clock.advance(1);
    expect(await restored(keystore([a]))).toBe('2099-01-01T00:00:00Z'); // of what was there
  });

  test('does not take the latest time back', async () => {
    const early = { latest_time: '2026-05-14T10:00:00Z', of_another_program: 1 };
    const late = { latest_time: '2026-05-14T17:00:00.5Z' };
    const latest = (): unknown =>
      (JSON.parse(readFileSync(path, 'utf8')) as typeof early).latest_time;
    put(keystore([a], late));
    await copies.restore(keystore([a], early), { replace: true });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      ...(JSON.parse(keystore([a], early).toString()) as object),
      latest_time: late.latest_time,
    });
    clock.advance(1);
    put(keystore([a], early));
    await copies.restore(keystore([a], late), { replace: true });
    expect(latest()).toBe(late.latest_time);
    clock.advance(1);
    await copies.restore(keystore([a]), { replace: true });
    expect(latest()).toBe(late.latest_time);
  });

  test.each([
    ['no JSON', Buffer.from('not JSON'), /it is not JSON/],
    ['nothing', Buffer.alloc(0), /it is not JSON/],
    ['another version', keystore([a], { version: 2 }), /version: /],
    ['no such active key', keystore([a], { active: b }), /active names no key/],
    ['the same key twice', keystore([a, a]), /two keys have the id/],
    [
      'another key than its id',
      keystore([a]).toString().replaceAll(a, b),
      `the seed of key ${b} is the seed of key ${a}`,
    ],
    [
      'a short seed',
      keystore([a])
        .toString()
        .replace(/"seed_b64":"[^"]*"/, '"seed_b64":"AQEB"'),
      /seed_b64: must be base64 of 32 bytes/,
    ],
    [
      'another revoked key than its id',
      keystore([a], { revoked: revokedMember(b, publicKeys[2]) }),
      /revoked key .* is another one/,
    ],
    ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe]), /no keystore v1 that can be used/],
    ['a raw seed', seeds[0] ?? '', /it is not JSON/],
  ])('refuses %s, and changes nothing', async (_, content, why) => {
    put(keystore([c]));
    const refused = copies.restore(Buffer.from(content), { replace: true });
    await expect(refused).rejects.toMatchObject({ kind: 'invalid_params' });
    await expect(refused).rejects.toThrow(why);
    await expect(refused).rejects.not.toThrow(encodeBase64(seeds[0] ?? Buffer.alloc(0)));
    expect(readFileSync(path)).toEqual(keystore([c]));
    expect(kept()).toEqual([]);
  });
});

describe('an open keyring', () => {
  async function open(): Promise<Keyring> {
    const world = worldWith(clock);
    const store = new FileKeystore(path, world, copyPath);
    return openKeyring({ name: 'ci', vault: store, store, world, rotation: null });
  }

  test('goes on with the restored keys at once, and a signature of theirs verifies', async () => {
    const keyring = await open();
    const first = await keyring.activeKeyId();
    const { bytes } = copies.take();
    const { new_active_kid } = await keyring.rotate(3600);
    await copies.restore(bytes, { replace: true });
    const { kid, signature } = await keyring.sign(Buffer.from('hello'));
    expect(kid).toBe(first);
    const publicKey = (await keyring.publicKeyB64(first)) ?? '';
    expect(opensslVerifies(Buffer.from('hello'), signature, publicKey)).toBe(true);
    expect(await keyring.publicKeyB64(new_active_kid)).toBeNull();
    await expect(keyring.sign(Buffer.from('x'), new_active_kid)).rejects.toMatchObject({
      kind: 'unknown_kid',
    });
    const after = await keyring.rotate(3600);
    expect(after.previous_kid).toBe(first);
    await keyring.close();
  });

  test('and a restore at the same moment lose nothing: one of them is told to try again, or is first', async () => {
    const keyring = await open();
    const { bytes } = copies.take();
    const [rotated, restored] = await Promise.allSettled([
      keyring.rotate(3600),
      copies.restore(bytes, { replace: true }),
    ]);
    expect(rotated.status).toBe('fulfilled'); // it starts over on the restored keys
    if (restored.status === 'rejected') {
      expect(restored.reason).toMatchObject({ kind: 'conflict' });
    }
    const kid = await keyring.activeKeyId();
    expect((await keyring.sign(Buffer.from('x'))).kid).toBe(kid);
    await keyring.close();
  });
});
