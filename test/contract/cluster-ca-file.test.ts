import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CaKey } from '../../src/cluster/ca-key.ts';
import type { CaRecords } from '../../src/cluster/ca-records.ts';
import { openCaKey } from '../../src/cluster/open-ca-key.ts';
import { CaTable } from '../../src/database/ca-tables.ts';
import { openDatabase, type Database } from '../../src/database/database.ts';
import { SeedFile } from '../../src/vault/file/seed-file.ts';
import { capturedLog } from '../support/captured-log.ts';
import { ForeignCa, kidOf } from '../support/foreign-ca.ts';
import { Clock, worldWith } from '../support/world.ts';

let folder: string;
let path: string;
let database: Database;
let records: CaRecords;
const clock = new Clock();
const captured = capturedLog();
const world = { ...worldWith(clock), log: captured.log };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cluster-ca-'));
  path = join(folder, 'cluster-ca.key');
  database = await openDatabase(join(folder, 'agent.db'));
  records = new CaTable(database);
  captured.lines.length = 0;
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

const warnings = (): unknown[] =>
  captured.lines.filter(({ level }) => level === 40).map(({ msg }) => msg);

function open(into: CaRecords = records): Promise<CaKey> {
  const vault = new SeedFile(path, world);
  return openCaKey({
    vault,
    records: into,
    where: path,
    madeAt: () => vault.modifiedAt(),
    world,
  });
}
const refusal = (what: string | RegExp): unknown =>
  expect.objectContaining({
    kind: 'backend_unavailable',
    message: expect.stringMatching(what) as string,
  });
const put = (bytes: Uint8Array): void => {
  writeFileSync(path, bytes, { mode: 0o600 });
};

describe('the first start', () => {
  test('makes the key, 32 bytes for nobody else, says so, and the next has the same', async () => {
    const first = await open();
    expect(statSync(path)).toMatchObject({ size: 32, mode: 0o100600 });
    expect(warnings()).toEqual(['a new cluster CA was made']);
    expect(first).toMatchObject({ backend: 'file', protection: 'software' });
    expect(first.createdAt).toBe('2026-05-14T17:55:00.000Z');
    const again = await open();
    expect(again).toMatchObject({ kid: first.kid, createdAt: first.createdAt });
    expect(warnings()).toHaveLength(1);
    const signature = await again.sign(Buffer.from('x'));
    expect(signature).toHaveLength(64);
  });

  test('takes over the key of a cluster that there was before, with the time of its file', async () => {
    const ca = new ForeignCa('prod.example');
    put(ca.seed);
    const opened = await open();
    expect(opened.kid).toBe(kidOf(ca.publicKey));
    expect(readFileSync(path)).toEqual(ca.seed);
    expect(warnings()).toEqual(['a key that was there is the cluster CA now']);
    expect(opened.createdAt).toBe(new Date(statSync(path).mtimeMs).toISOString());
    expect(records.read()?.key?.kid).toBe(ca.kid);
  });
});

describe('it is refused', () => {
  test.each([0, 31, 33, 64])('where the file has %d bytes, which stay', async (length) => {
    put(Buffer.alloc(length, 7));
    await expect(open()).rejects.toEqual(
      refusal(/cluster-ca\.key has \d+ bytes.*exactly 32.*put it back from a copy/),
    );
    expect(readFileSync(path)).toHaveLength(length);
    expect(records.read()).toBeNull();
  });

  test('where the key that there was is lost: no other one is made', async () => {
    const { kid } = await open();
    const copy = readFileSync(path);
    unlinkSync(path);
    await expect(open()).rejects.toEqual(
      refusal(new RegExp(`the cluster CA, ${kid} of .* is lost.*cluster-ca\\.key.*from a copy`)),
    );
    expect(existsSync(path)).toBe(false);
    put(copy);
    expect((await open()).kid).toBe(kid);
  });

  test('where it was in a token until now: that is not said to be lost', async () => {
    const { kid, publicKey, createdAt } = await open();
    unlinkSync(path);
    await records.write({ backend: 'pkcs11', objectId: 'ab', key: { kid, publicKey, createdAt } });
    await expect(open()).rejects.toEqual(
      refusal(/is not in .*cluster-ca\.key: .* ca_backend = "pkcs11", and now that is "file"/),
    );
    expect(existsSync(path)).toBe(false);
  });

  test('where the key is another one than was recorded', async () => {
    const { kid } = await open();
    const other = new ForeignCa('x');
    put(other.seed);
    await expect(open()).rejects.toEqual(
      refusal(new RegExp(`is key ${kid} .* has another key, ${other.kid}: put the right one back`)),
    );
    expect(readFileSync(path)).toEqual(other.seed);
  });

  test('where others may read the file, or it is a link', async () => {
    await open();
    chmodSync(path, 0o640);
    await expect(open()).rejects.toEqual(refusal(/cluster-ca\.key has mode 0640: run chmod 600/));
    const elsewhere = join(folder, 'elsewhere');
    writeFileSync(elsewhere, Buffer.alloc(32, 1), { mode: 0o600 });
    unlinkSync(path);
    symlinkSync(elsewhere, path);
    await expect(open()).rejects.toEqual(refusal(/is a symbolic link/));
  });
});

test('an open one signs no more once its file is gone or another one, and goes on when it is back', async () => {
  const ca = await open();
  const copy = readFileSync(path);
  const sign = async (): Promise<unknown> => {
    await new Promise(setImmediate); // the file is looked at once for all that is done in one go
    return ca.sign(Buffer.from('x'));
  };
  unlinkSync(path);
  await expect(sign()).rejects.toEqual(refusal(/is not there: put it back/));
  expect(ca.health).toMatchObject({ failing: true });
  put(new ForeignCa('x').seed);
  await expect(sign()).rejects.toEqual(refusal(/has key .* and should have/));
  put(copy);
  await expect(sign()).resolves.toHaveLength(64);
  expect(ca.health).toMatchObject({ failing: false });
});

describe('ended', () => {
  /** The process ends at that write: it takes effect, or not, and nothing comes after it. */
  const ending = (write: number, takesEffect: boolean): CaRecords => {
    let writes = 0;
    return {
      read: () => records.read(),
      write: async (record) => {
        writes += 1;
        if (writes !== write) return records.write(record);
        if (takesEffect) await records.write(record);
        throw new Error('killed');
      },
    };
  };

  test.each([
    ['before it was announced', 1, false, false],
    ['before it was made', 1, true, false],
    ['before it was recorded', 2, false, true],
    ['before it was answered', 2, true, true],
  ] as const)('%s, the next start repairs it by itself', async (_, write, takesEffect, isMade) => {
    await expect(open(ending(write, takesEffect))).rejects.toThrow('killed');
    expect(existsSync(path)).toBe(isMade);
    const before = isMade ? readFileSync(path) : null;
    const { kid } = await open();
    if (before !== null) expect(readFileSync(path)).toEqual(before);
    expect(records.read()?.key?.kid).toBe(kid);
    expect((await open()).kid).toBe(kid);
  });
});
