import { expect, test } from 'vitest';
import { loadSqlite, sqliteSource } from '../../src/database/sqlite.ts';

test.each([
  ['20.19.0', '@photostructure/sqlite'],
  ['22.23.3', '@photostructure/sqlite'],
  ['24.0.0', 'node:sqlite'],
  ['26.12.1', 'node:sqlite'],
  ['100.0.0', 'node:sqlite'],
])('on Node.js %s SQLite comes from %s', (version, source) => {
  expect(sqliteSource(version)).toBe(source);
});

test('what is loaded is that of this Node.js, with results and failures as the database reads them', async () => {
  const { DatabaseSync } = await loadSqlite();
  const connection = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: false });
  connection.exec('CREATE TABLE t (a TEXT UNIQUE, b INTEGER, c BLOB) STRICT');
  connection.prepare('INSERT INTO t VALUES (?, ?, ?)').run('x', 7, Buffer.from('bytes'));
  const row = connection.prepare('SELECT a, b, c FROM t').get();
  expect({ ...row }).toEqual({ a: 'x', b: 7, c: new Uint8Array(Buffer.from('bytes')) });
  expect(connection.prepare('SELECT a FROM t WHERE b = 8').get()).toBeUndefined();
  const again = (): unknown => connection.prepare("INSERT INTO t VALUES ('x', 1, NULL)").run();
  expect(again).toThrow(expect.objectContaining({ errcode: 2067 })); // SQLITE_CONSTRAINT_UNIQUE
  expect(connection.isTransaction).toBe(false);
  connection.exec('BEGIN IMMEDIATE');
  expect(connection.isTransaction).toBe(true);
  connection.exec('ROLLBACK');
  connection.close();
  expect(connection.isOpen).toBe(false);
});
