import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/base/base64.ts';
import { kidOf } from '../../src/algorithms/kid.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { FileKeystore } from '../../src/vault/file/keystore.ts';
import { publicKeyOf } from '../../src/vault/file/seed.ts';
import { Clock, worldWith } from '../support/world.ts';

const message = Buffer.from('a message');
let folder: string;
let path: string;
let clock: Clock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keystore-'));
  path = join(folder, 'keystore.json');
  clock = new Clock();
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function open(): Promise<Keyring> {
  const world = worldWith(clock);
  const keystore = new FileKeystore(path, world);
  await keystore.migrateLegacySeed();
  return openKeyring({ name: 'default', vault: keystore, store: keystore, world, rotation: null });
}

function write(content: string | Buffer): void {
  writeFileSync(path, content, { mode: 0o600 });
}

const seeds = [1, 2, 3].map((byte) => Buffer.alloc(32, byte));
const kids = seeds.map((seed) => kidOf(publicKeyOf(seed)));
const [a = '', b = '', c = ''] = kids;

interface Document {
  version: number;
  keys: { id: string; seed_b64: string; created_at: string }[];
  active: string;
  retired_grace_until?: Record<string, string>;
}

/** As another program of the cluster writes it. */
function foreign(changes: Partial<Document> & Record<string, unknown> = {}): string {
  const document: Document = {
    version: 1,
    keys: seeds.map((seed, index) => ({
      id: kids[index] ?? '',
      seed_b64: encodeBase64(seed),
      created_at: '2026-05-01T10:00:00.123456789+00:00',
    })),
    active: a,
    retired_grace_until: { [b]: '2026-05-20T00:00:00.987654321Z' },
    ...changes,
  };
  return JSON.stringify(document);
}

/** Another value after every write, even of the same content. */
const written = (): unknown => {
  const { ino, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return { ino, mtimeNs, ctimeNs };
};

const parsed = (): Document & Record<string, unknown> =>
  JSON.parse(readFileSync(path, 'utf8')) as Document & Record<string, unknown>;

describe('keystore v1', () => {
  test('a new one has exactly the members of the format', async () => {
    await open();
    const document = parsed();
    expect(Object.keys(document)).toEqual([
      ...['version', 'keys', 'active', 'retired_grace_until'],
      ...['activated', 'latest_time'], // ours, optional
    ]);
    expect(Object.keys(document.keys[0] ?? {})).toEqual(['id', 'seed_b64', 'created_at']);
    const seed = Buffer.from(document.keys[0]?.seed_b64 ?? '', 'base64url');
    expect(document.keys[0]?.id).toBe(kidOf(publicKeyOf(seed)));
    expect(document.active).toBe(document.keys[0]?.id);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('one of another program is loaded, and opening it writes nothing', async () => {
    write(foreign());
    const before = written();
    const keyring = await open();
    expect(await keyring.activeKeyId()).toBe(a);
    const valid = await keyring.listValidPubkeys();
    expect(valid.map((key) => [key.kid, key.valid_until, key.created_at])).toEqual([
      [a, null, '2026-05-01T10:00:00.123456789+00:00'],
      [b, '2026-05-20T00:00:00.987654321Z', '2026-05-01T10:00:00.123456789+00:00'],
    ]);
    expect(await keyring.publicKeyB64(c)).toBeNull(); // left over: neither active nor in grace
    expect(await keyring.pruneExpiredGrace()).toBe(0);
    expect(written()).toEqual(before);
  });

  test('a rotation leaves the times of others and members it does not know as they are', async () => {
    const document = JSON.parse(foreign({ cluster_note: { kept: true } })) as Document;
    Object.assign(document.keys[0] ?? {}, { comment: 'first' });
    write(JSON.stringify(document));
    const { new_active_kid } = await (await open()).rotate(60);
    const after = parsed();
    expect(after['cluster_note']).toEqual({ kept: true });
    expect(after.keys[0]).toEqual(document.keys[0]);
    expect(after.retired_grace_until?.[b]).toBe('2026-05-20T00:00:00.987654321Z');
    expect(after.active).toBe(new_active_kid);
    expect(after.keys.map(({ id }) => id)).toEqual([a, b, c, new_active_kid]);
  });

  test('without retired_grace_until', async () => {
    write(foreign({ retired_grace_until: undefined } as never)); // JSON leaves undefined out
    expect(await (await open()).listValidPubkeys()).toHaveLength(1);
  });

  test('seeds in standard, padded base64 are read', async () => {
    const document = JSON.parse(foreign()) as Document;
    for (const [index, key] of document.keys.entries()) {
      key.seed_b64 = (seeds[index] ?? Buffer.alloc(0)).toString('base64');
    }
    write(JSON.stringify(document));
    expect(await (await open()).activeKeyId()).toBe(a);
  });

  test('prepared and revoked keys leave a document that version 1 readers load', async () => {
    const keyring = await open();
    const { kid } = await keyring.sign(message);
    await keyring.revoke(kid, 'lost');
    const { kid: prepared } = await keyring.prepare();
    const document = parsed();
    expect(document.keys.map(({ id }) => id)).not.toContain(kid); // its seed is gone
    expect(document.keys.map(({ id }) => id)).toContain(prepared);
    expect(document.keys.filter(({ id }) => id === document.active)).toHaveLength(1);
    expect(readFileSync(path, 'utf8')).toContain('"reason": "lost"');
    expect((await (await open()).listKeys()).map((key) => key.state).sort()).toEqual([
      'active',
      'prepared',
      'revoked',
    ]);
  });
});

test('a reader that knows version 1 alone loads what schedule and clock have added', async () => {
  const keyring = await open();
  await keyring.rotate(60);
  await keyring.prepare(60);
  const document = parsed();
  expect(document['activated']).toMatchObject({ kid: document.active });
  expect(document['latest_time']).toBe(new Date(clock.now()).toISOString());
  const { version, keys, active, retired_grace_until } = document;
  write(JSON.stringify({ version, keys, active, retired_grace_until }));
  const reader = await open();
  expect(await reader.activeKeyId()).toBe(active);
  expect(await reader.listValidPubkeys()).toEqual(await keyring.listValidPubkeys());
});

test('a prepared key that a program of version 1 removed or activated is prepared no more', async () => {
  for (const kid of ['ffffffff', a]) {
    write(foreign({ prepared: { kid, activates_at: null, more: 1 } }));
    const keyring = await open();
    expect(await keyring.listValidPubkeys({ includePrepared: true })).toHaveLength(2);
    expect((await keyring.rotate(60)).new_active_kid).not.toBe(kid);
  }
});

describe('the legacy form', () => {
  test('32 raw bytes become keystore v1, once', async () => {
    write(seeds[0] ?? '');
    const keyring = await open();
    expect(await keyring.activeKeyId()).toBe(a);
    expect(parsed().keys[0]?.seed_b64).toBe(encodeBase64(seeds[0] ?? Buffer.alloc(0)));
    const migrated = written();
    await open();
    expect(written()).toEqual(migrated);
  });

  test('32 bytes of JSON are no seed', async () => {
    const text = JSON.stringify({ version: 1 }).padEnd(32);
    write(text);
    await expect(open()).rejects.toThrow(path);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });
});

describe('what is refused, with the file named and left alone', () => {
  const withKey = (change: Record<string, unknown>): string => {
    const document = JSON.parse(foreign()) as Document;
    Object.assign(document.keys[0] ?? {}, change);
    return JSON.stringify(document);
  };
  test.each([
    ['an empty file', ''],
    ['31 bytes', Buffer.alloc(31, 1)],
    ['33 bytes', Buffer.alloc(33, 1)],
    ['half a document', foreign().slice(0, 200)],
    ['another version', foreign({ version: 2 })],
    ['no version', foreign({ version: undefined } as never)],
    ['no keys', foreign({ keys: [] })],
    ['an active that names no key', foreign({ active: 'ffffffff' })],
    ['a seed of 31 bytes', withKey({ seed_b64: encodeBase64(Buffer.alloc(31)) })],
    ['a seed that is no base64', withKey({ seed_b64: '!'.repeat(43) })],
    ['a seed of another key', withKey({ seed_b64: encodeBase64(Buffer.alloc(32, 77)) })],
    ['the same id twice', withKey({ id: b })],
    ['a time that is none', withKey({ created_at: 'yesterday' })],
    ['a grace that is none', foreign({ retired_grace_until: { [b]: 'soon' } })],
    ['bytes that are no UTF-8', Buffer.concat([Buffer.from(foreign()), Buffer.from([0xff])])],
  ])('%s', async (_name, content) => {
    write(content);
    await expect(open()).rejects.toMatchObject({
      kind: 'backend_unavailable',
      message: expect.stringContaining(path) as string,
    });
    expect(readFileSync(path)).toEqual(Buffer.from(content));
  });

  test('a message never repeats what stood in the file', async () => {
    const secret = encodeBase64(Buffer.alloc(31, 0x5a));
    write(withKey({ seed_b64: secret }));
    const failure: unknown = await open().catch((thrown: unknown) => thrown);
    expect(String(failure)).not.toContain(secret);
    write(`{"seed_b64":"${secret}"`);
    const other: unknown = await open().catch((thrown: unknown) => thrown);
    expect(String(other)).not.toContain(secret);
  });

  test('a symbolic link, and a mode that others can read', async () => {
    write(foreign());
    chmodSync(path, 0o640);
    await expect(open()).rejects.toThrow(/chmod/);
    chmodSync(path, 0o600);
    const elsewhere = join(folder, 'elsewhere.json');
    renameSync(path, elsewhere);
    symlinkSync(elsewhere, path);
    await expect(open()).rejects.toThrow(/symbolic link/);
  });
});

describe('edits by others', () => {
  test('are seen by the next operation, in place or by another file', async () => {
    write(foreign());
    const keyring = await open();
    expect((await keyring.sign(message)).kid).toBe(a);
    write(foreign({ active: b, retired_grace_until: {} })); // in place, at once
    expect((await keyring.sign(message)).kid).toBe(b);
    const other = join(folder, 'other.json');
    writeFileSync(other, foreign({ active: c }), { mode: 0o600 });
    renameSync(other, path);
    expect((await keyring.sign(message)).kid).toBe(c);
  });

  test('of the same length within the same clock tick are seen too', async () => {
    write(foreign());
    const keyring = await open();
    for (let round = 0; round < 50; round += 1) {
      for (const active of [a, b]) {
        write(foreign({ active, retired_grace_until: {} }));
        expect((await keyring.sign(message)).kid).toBe(active);
      }
    }
  });

  test('that break the file stop the keyring until it is whole again; nothing is written', async () => {
    write(foreign());
    const keyring = await open();
    write('{');
    await expect(keyring.sign(message)).rejects.toMatchObject({ kind: 'backend_unavailable' });
    await expect(keyring.rotate(60)).rejects.toMatchObject({ kind: 'backend_unavailable' });
    expect(readFileSync(path, 'utf8')).toBe('{');
    rmSync(path);
    await expect(keyring.sign(message)).rejects.toMatchObject({ kind: 'backend_unavailable' });
    write(foreign());
    expect((await keyring.sign(message)).kid).toBe(a);
  });

  test('under a rotation lose neither', async () => {
    write(foreign());
    const keyring = await open();
    const rotation = keyring.rotate(60);
    write(foreign({ retired_grace_until: { [c]: '2026-05-20T00:00:00Z' } }));
    const { new_active_kid } = await rotation;
    const document = parsed();
    expect(document.active).toBe(new_active_kid);
    expect(Object.keys(document.retired_grace_until ?? {}).sort()).toEqual([a, c].sort());
  });
});

test('a signature of no bytes at all', async () => {
  const keyring = await open();
  const { signature } = await keyring.sign(Buffer.alloc(0));
  expect((await keyring.verify(Buffer.alloc(0), signature)).valid).toBe(true);
});
