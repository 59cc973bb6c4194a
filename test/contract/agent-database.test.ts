import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AgentDatabase } from '../../src/database/agent-database.ts';
import type { BackendName } from '../../src/api/signing-backend.ts';
import { CaTable } from '../../src/database/ca-tables.ts';
import { ClientKeyTable } from '../../src/database/client-key-table.ts';
import { openDatabase, type Database } from '../../src/database/database.ts';
import { migrations } from '../../src/database/migrations.ts';
import { loadSqlite } from '../../src/database/sqlite.ts';
import { noLedgers } from '../support/ledgers.ts';

const loader = fileURLToPath(new URL('../support/typescript-loader.js', import.meta.url));
const writer = fileURLToPath(new URL('../support/client-key-writer.ts', import.meta.url));

const { DatabaseSync } = await loadSqlite();

let folder: string;
let path: string;
const open: Database[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-db-'));
  path = join(folder, 'agent.db');
});
afterEach(() => {
  for (const database of open.splice(0)) database.close();
  rmSync(folder, { recursive: true });
});

async function opened(steps?: readonly string[]): Promise<Database> {
  const database = await openDatabase(path, { migrations: steps });
  open.push(database);
  return database;
}

/** What `PRAGMA` answers to a program that is not ours. */
function pragma(name: string): unknown {
  const connection = new DatabaseSync(path, { readOnly: true });
  try {
    return (connection.prepare(`PRAGMA ${name}`).get() as Record<string, unknown>)[name];
  } finally {
    connection.close();
  }
}

const key = {
  id: `ck_${'1'.repeat(32)}`,
  actor: { kind: 'user', id: '1001' },
  publicKey: new Uint8Array(32).fill(9),
  label: 'laptop',
  createdAt: '2026-05-14T17:55:00.000Z',
  lastUsedAt: null,
  revokedAt: null,
} as const;

describe('a new database', () => {
  test('is closed to others with all its files, in WAL, with foreign keys', async () => {
    const database = await opened();
    new ClientKeyTable(database).add(key);
    expect(readdirSync(folder).sort()).toEqual(['agent.db', 'agent.db-shm', 'agent.db-wal']);
    for (const name of readdirSync(folder)) {
      expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
    }
    expect(pragma('journal_mode')).toBe('wal');
    expect(database.rows('PRAGMA foreign_keys')).toEqual([{ foreign_keys: 1 }]);
    expect(database.rows('PRAGMA synchronous')).toEqual([{ synchronous: 2 }]);
    expect(pragma('user_version')).toBe(migrations.length);
  });

  test('keeps what was written when it is opened again', async () => {
    const database = await opened();
    new ClientKeyTable(database).add(key);
    database.close();
    expect(new ClientKeyTable(await opened()).find(key.id)).toEqual(key);
  });

  test('takes back the whole of a transaction that fails', async () => {
    const table = new ClientKeyTable(await opened());
    await expect(
      table.atomically(() => {
        table.add(key);
        throw new Error('on the way');
      }),
    ).rejects.toThrow('on the way');
    expect(table.find(key.id)).toBeNull();
    table.add(key);
    expect(() => {
      table.add({ ...key, id: `ck_${'2'.repeat(32)}` });
    }).toThrow(/UNIQUE/); // the same key of the same actor, whoever forgot to look
  });

  test('is there whole or not at all: a step of the schema that fails leaves no file', async () => {
    await expect(opened(['CREATE TABLE one (id)', 'no SQL at all'])).rejects.toThrow();
    expect(readdirSync(folder)).toEqual([]);
    await opened();
    expect(readdirSync(folder).sort()).toEqual(['agent.db', 'agent.db-shm', 'agent.db-wal']);
  });

  test('is not made by looking whether there is one', async () => {
    const database = new AgentDatabase(path, noLedgers.transactions);
    await database.openExisting();
    expect(database.current).toBeNull();
    expect(existsSync(path)).toBe(false);
    const both = await Promise.all([database.openOrCreate(), database.openOrCreate()]);
    expect(both[0]).toBe(both[1]);
    database.close();
  });
});

describe('the schema', () => {
  const older = [`CREATE TABLE things (name TEXT PRIMARY KEY) STRICT`];
  const newer = [...older, `ALTER TABLE things ADD COLUMN colour TEXT; CREATE TABLE more (x) `];

  test('of an older version is brought up to date, with what is in it', async () => {
    const before = await opened(older);
    before.run('INSERT INTO things VALUES (?)', 'one');
    before.close();
    const after = await opened(newer);
    expect(after.rows('SELECT * FROM things')).toEqual([{ name: 'one', colour: null }]);
    expect(pragma('user_version')).toBe(2);
  });

  test('takes over the CA of a version that knew two kinds of backend, and takes one of any other', async () => {
    const before = await opened(migrations.slice(0, 4));
    const columns = '(one, backend, object_id, kid, public_key, created_at)';
    before.run(
      `INSERT INTO cluster_ca ${columns} VALUES (1, 'pkcs11', 'ab', 'c0ffee00', ?, '2026-05-14T17:55:00Z')`,
      key.publicKey,
    );
    expect(() => {
      before.run("UPDATE cluster_ca SET backend = 'other'");
    }).toThrow(/CHECK/);
    before.close();
    const table = new CaTable(await opened());
    const identity = {
      ...{ kid: 'c0ffee00', publicKey: key.publicKey },
      createdAt: '2026-05-14T17:55:00Z',
    };
    expect(table.read()).toEqual({ backend: 'pkcs11', objectId: 'ab', key: identity });
    const other = { backend: 'other' as BackendName, objectId: 'cd', key: null };
    await table.write(other);
    expect(table.read()).toEqual(other);
  });

  test('stays at the last step that worked, each step whole or not at all', async () => {
    (await opened(older)).close();
    const broken = [...older, 'CREATE TABLE half (x); CREATE TABLE things (y)'];
    await expect(opened(broken)).rejects.toThrow(/things already exists/);
    expect(pragma('user_version')).toBe(1);
    const after = await opened(newer);
    expect(after.rows("SELECT name FROM sqlite_schema WHERE name = 'half'")).toEqual([]);
    expect(pragma('user_version')).toBe(2);
  });

  test('of a newer version is refused by name, and left alone', async () => {
    (await opened(newer)).close();
    const before = readFileSync(path);
    await expect(opened(older)).rejects.toMatchObject({
      kind: 'backend_unavailable',
      message: expect.stringMatching(
        /agent\.db has version 2, and this program knows versions up to 1: it was left alone; run the newer/,
      ) as string,
    });
    expect(readFileSync(path)).toEqual(before);
  });

  test('of another program is refused, and left alone', async () => {
    const foreign = new DatabaseSync(path);
    foreign.exec('CREATE TABLE client_keys (x)');
    foreign.close();
    chmodSync(path, 0o600);
    const before = readFileSync(path);
    await expect(opened()).rejects.toThrow(/is another program's database: it was left alone/);
    expect(readFileSync(path)).toEqual(before);
  });
});

describe('a file is refused, named, and left alone that', () => {
  test.each([
    ['is no database', () => Buffer.from('this is no database\n'.repeat(500))],
    ['is shorter than a header', () => Buffer.from('SQLite')],
    ['is empty', () => Buffer.alloc(0)],
    [
      'has a damaged page',
      async () => {
        const database = await opened();
        const table = new ClientKeyTable(database);
        for (let at = 0; at < 200; at += 1) {
          const publicKey = new Uint8Array(32).fill(at);
          table.add({ ...key, id: `ck_${at.toString(16).padStart(32, '0')}`, publicKey });
        }
        database.close();
        const bytes = readFileSync(path);
        return bytes.fill(0xff, 4096 + 100, bytes.length - 4096);
      },
    ],
    [
      'was cut short',
      async () => {
        const database = await opened();
        new ClientKeyTable(database).add(key);
        database.close();
        return readFileSync(path).subarray(0, 4096 + 512);
      },
    ],
  ])('%s', async (_, content) => {
    const bytes = await content();
    writeFileSync(path, bytes, { mode: 0o600 });
    await expect(opened()).rejects.toMatchObject({
      kind: 'backend_unavailable',
      message: expect.stringMatching(
        /agent\.db is damaged.*left alone; put back a copy.*clusters trusted again.*tokens that were revoked/,
      ) as string,
    });
    expect(readFileSync(path)).toEqual(bytes);
  });

  test('others may read', async () => {
    writeFileSync(path, '', { mode: 0o640 });
    await expect(opened()).rejects.toThrow(/agent\.db has mode 0640: run chmod 600/);
    rmSync(path);
    writeFileSync(`${path}-wal`, '', { mode: 0o644 });
    await expect(opened()).rejects.toThrow(/agent\.db-wal has mode 0644: run chmod 600/);
  });

  test('is a symbolic link, or no file at all', async () => {
    symlinkSync(join(folder, 'elsewhere'), path);
    await expect(opened()).rejects.toThrow(/agent\.db is a symbolic link/);
    expect(existsSync(join(folder, 'elsewhere'))).toBe(false);
    rmSync(path);
    await expect(openDatabase(folder)).rejects.toThrow(/is not a regular file/);
  });
});

describe('several processes', () => {
  test('make and fill it together, and nothing is lost', async () => {
    const run = promisify(execFile);
    const writers = [1, 2, 3, 4].map((uid) =>
      run(process.execPath, ['--import', loader, writer, path, '40', String(uid % 2)]),
    );
    await Promise.all(writers);
    const table = new ClientKeyTable(await opened());
    for (const id of ['0', '1']) {
      const labels = table
        .list({ actor: { kind: 'user', id }, revoked: 1000 })
        .map(({ label }) => Number(label));
      // Each counted those before it in its own transaction: no two counted the same.
      expect(labels.sort((a, b) => a - b)).toEqual(Array.from({ length: 80 }, (_, at) => at + 1));
    }
  });

  test('that keep it locked make others try again', async () => {
    const table = new ClientKeyTable(await opened());
    const other = new ClientKeyTable(await opened());
    await table.atomically(() => {
      expect(() => {
        other.add(key);
      }).toThrow(expect.objectContaining({ kind: 'conflict' }));
    });
    other.add(key);
    expect(table.find(key.id)).toEqual(key);
  });

  test('that keep it locked hold up who writes, and nobody else', async () => {
    const database = await opened();
    // All of the process stands still for so many milliseconds of every try.
    expect(database.rows('PRAGMA busy_timeout')).toEqual([{ timeout: 5 }]);
    const table = new ClientKeyTable(database);
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    let settled = 0;
    const writes = [1, 2, 3, 4, 5].map((at) =>
      table.atomically(() => {
        table.add({
          ...key,
          id: `ck_${String(at).repeat(32)}`,
          publicKey: new Uint8Array(32).fill(at),
        });
      }),
    );
    for (const write of writes) {
      const count = (): void => {
        settled += 1;
      };
      write.then(count, count);
    }
    // Who has the lock is in this process: it could never let go of it if a writer held up the event loop.
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    expect(settled).toBe(0);
    other.exec('ROLLBACK');
    other.close();
    await Promise.all(writes);
    expect(table.count({ kind: 'user', id: '1001' })).toBe(5);
  });

  test('that never let go of it are told of after a second', async () => {
    const table = new ClientKeyTable(await opened());
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(
      table.atomically(() => {
        table.add(key);
      }),
    ).rejects.toMatchObject({ kind: 'conflict' });
    other.close();
  });
});

describe('a file that is taken away while it is open', () => {
  test('is written to no more, nor read', async () => {
    const table = new ClientKeyTable(await opened());
    table.add(key);
    renameSync(path, `${path}.old`);
    const removed = /was removed while the agent had it open: restart the agent/;
    const message = expect.stringMatching(removed) as string;
    await expect(
      table.atomically(() => {
        table.revoke(key.id, key.createdAt);
      }),
    ).rejects.toMatchObject({ kind: 'backend_unavailable', message });
    expect(() => table.find(key.id)).toThrow(removed);
    writeFileSync(path, '', { mode: 0o600 });
    expect(() => table.find(key.id)).toThrow(/was replaced by another file/);
    renameSync(`${path}.old`, path);
    expect(table.find(key.id)).toEqual(key);
  });
});
