import { setTimeout as sleep } from 'node:timers/promises';
import { forgetCommand } from '../base/forget-command.ts';
import { Turns } from '../base/turns.ts';
import { databaseFailure, isBusy } from './database-failure.ts';
import {
  checkFiles,
  damaged,
  databaseExists,
  inodeOf,
  lostWithIt,
  makeWhole,
  requireSame,
} from './database-files.ts';
import { migrations as ownMigrations } from './migrations.ts';
import { refusal } from '../files/ownership.ts';
import { loadSqlite, type Connection, type Value } from './sqlite.ts';

/** `PRAGMA application_id` of our databases: "sagt". */
const applicationId = 0x73616774;
/** How long SQLite waits for another process that writes, milliseconds. All of this process stands still meanwhile. */
const busyTimeout = 5;
/** How long it is waited for without standing still, and the pause between two tries, milliseconds. */
const patience = 1000;
const pause = 20;

/** Where it is noted, outside the database, how many transactions were acknowledged. */
export interface TransactionLedger {
  /** null: nothing is known. */
  readonly expected: number | null;
  /** The file has so many; told at each opening too. Durable when it resolves. */
  acknowledge(serial: number): Promise<void>;
}

/** Of databases that nobody relies on beyond the process. */
const noLedger: TransactionLedger = { expected: null, acknowledge: () => Promise.resolve() };

/** An SQLite database that is open, with its schema as it is meant to be. Every failure is an AgentError. */
export class Database {
  readonly path: string;
  readonly #connection: Connection;
  readonly #inode: string | null;
  readonly #ledger: TransactionLedger;
  readonly #turns = new Turns();

  /** Opened by `openDatabase`; `inode` as `inodeOf` has it. */
  constructor(
    path: string,
    connection: Connection,
    inode: string | null,
    ledger: TransactionLedger,
  ) {
    this.path = path;
    this.#connection = connection;
    this.#inode = inode;
    this.#ledger = ledger;
  }

  run(sql: string, ...values: readonly Value[]): void {
    this.#guarded(() => this.#connection.prepare(sql).run(...values));
  }

  rows(sql: string, ...values: readonly Value[]): readonly Record<string, unknown>[] {
    return this.#guarded(() => this.#connection.prepare(sql).all(...values));
  }

  /**
   * One transaction, which other processes wait for from its start on. When it resolves, what was written is in the
   * database file itself, and not in SQLite's log beside it alone, and the ledger has its number. Rejects with what
   * `work` throws, which takes it back; with `conflict` where another process keeps the database locked; and as the
   * ledger does: then the transaction stands, and the next one is noted.
   */
  atomically<T>(work: () => T): Promise<T> {
    const deadline = performance.now() + patience;
    // One waits at a time: many that try by turns would keep the process busy.
    return this.#turns.take('write', async () => {
      await patiently(deadline, () => {
        this.#guarded(() => {
          this.#connection.exec('BEGIN IMMEDIATE');
        });
      });
      const { result, serial } = this.#committed(() => ({
        result: work(),
        serial: nextSerial(this.#connection),
      }));
      this.#checkpoint();
      if (serial !== null) await this.#ledger.acknowledge(serial);
      return result;
    });
  }

  #committed<T>(work: () => T): T {
    try {
      const result = work();
      this.#guarded(() => {
        this.#connection.exec('COMMIT');
      });
      return result;
    } catch (failure) {
      // SQLite may have taken it back by itself, after a full disk for one.
      if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
      throw failure;
    }
  }

  /** Brings what is in the log into the file, so that a copy of the file alone is whole. Nothing is lost without. */
  close(): void {
    if (!this.#connection.isOpen) return;
    // The binding's own close does not: SQLite waits there for statements, which live until they are collected.
    this.#checkpoint();
    this.#connection.close();
  }

  /** From then on the log beside the file may go. */
  #checkpoint(): void {
    try {
      this.#connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // Another process reads it, or the disk is full: the next one that opens it has the log, and where the log
      // is gone by then, the ledger knows of more transactions than there are.
    }
  }

  #guarded<T>(work: () => T): T {
    requireSame(this.path, this.#inode);
    try {
      return work();
    } catch (failure) {
      throw databaseFailure(this.path, failure);
    }
  }
}

/**
 * Opens a database that only this user may read and write, made where it is missing, and brings its schema up to
 * date. `migrations`: the steps of the schema, see `migrations.ts`.
 *
 * Rejects with `backend_unavailable`, naming the file and the remedy, for one that is damaged, another program's,
 * of a newer version, not safe, or without transactions that the ledger knows of; its content is left as it is. With `conflict` where another process keeps it
 * locked.
 */
export async function openDatabase(
  path: string,
  {
    migrations = ownMigrations,
    ledger = noLedger,
  }: {
    readonly migrations?: readonly string[] | undefined;
    readonly ledger?: TransactionLedger;
  } = {},
): Promise<Database> {
  checkFiles(path);
  const { DatabaseSync } = await loadSqlite();
  if (!databaseExists(path)) {
    makeWhole(path, (fresh) => {
      fillNew(new DatabaseSync(fresh), path, migrations);
    });
    checkFiles(path); // another process may have been quicker
  }
  let connection: Connection | null = null;
  const unlessBusy = (work: () => void): Promise<void> =>
    patiently(performance.now() + patience, work);
  try {
    const opened = new DatabaseSync(path, {
      timeout: busyTimeout,
      enableForeignKeyConstraints: true,
      enableDoubleQuotedStringLiterals: false,
    });
    connection = opened;
    // All that may refuse it comes before anything that writes.
    await unlessBusy(() => {
      requireOurs(path, opened, migrations.length);
      requireSound(path, opened);
    });
    await unlessBusy(() => {
      useWal(path, opened);
    });
    const inode = inodeOf(path);
    opened.exec('PRAGMA synchronous = FULL');
    await unlessBusy(() => {
      migrate(path, opened, migrations);
    });
    const serial = serialOf(opened);
    requireNewest(path, serial, ledger.expected);
    if (serial !== null) await ledger.acknowledge(serial);
    return new Database(path, opened, inode, ledger);
  } catch (failure) {
    connection?.close();
    throw databaseFailure(path, failure);
  }
}

function requireOurs(path: string, connection: Connection, newest: number): void {
  const version = numberOf(connection, 'user_version');
  const application = numberOf(connection, 'application_id');
  const isEmpty =
    version === 0 && connection.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
  if (!isEmpty && application !== applicationId) {
    throw refusal(path, "is another program's database: it was left alone; move it away");
  }
  if (version <= newest) return;
  throw refusal(
    path,
    `has version ${version}, and this program knows versions up to ${newest}: it was left alone; ` +
      'run the newer signing-agent that wrote it, or put back a copy from before',
  );
}

function requireSound(path: string, connection: Connection): void {
  const [row] = connection.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
  if (row?.quick_check === 'ok') return;
  const found = row?.quick_check.replaceAll(/\s+/g, ' ') ?? 'nothing can be read'; // SQLite writes lines
  throw damaged(path, found);
}

function useWal(path: string, connection: Connection): void {
  const mode = connection.prepare('PRAGMA journal_mode = WAL').get() as
    { journal_mode: string } | undefined;
  if (mode?.journal_mode === 'wal') return;
  throw refusal(path, `is on a file system that takes no WAL (${mode?.journal_mode ?? 'none'})`);
}

/** Tries until no other process is in the way, once at least. `deadline`: by `performance.now()`; then it rejects. */
async function patiently<T>(deadline: number, work: () => T): Promise<T> {
  for (;;) {
    try {
      return work();
    } catch (failure) {
      if (!isBusy(failure)) throw failure;
      await sleep(pause); // before it is given up too: others that wait try after this one
      if (performance.now() >= deadline) throw failure;
    }
  }
}

/** All of the schema, in a file that nobody else has: without a log, so that it is whole when it is closed. */
function fillNew(connection: Connection, path: string, migrations: readonly string[]): void {
  try {
    connection.exec('PRAGMA synchronous = FULL');
    migrate(path, connection, migrations);
  } catch (failure) {
    throw databaseFailure(path, failure);
  } finally {
    connection.close();
  }
}

/** One transaction a step: killed anywhere, the next start goes on from there. */
function migrate(path: string, connection: Connection, migrations: readonly string[]): void {
  while (numberOf(connection, 'user_version') < migrations.length) {
    connection.exec('BEGIN IMMEDIATE');
    try {
      // Read again: another process may have been at it until now.
      const version = numberOf(connection, 'user_version');
      const step = migrations[version];
      if (step !== undefined) {
        connection.exec(step);
        connection.exec(`PRAGMA application_id = ${applicationId}`);
        connection.exec(`PRAGMA user_version = ${version + 1}`);
      }
      connection.exec('COMMIT');
    } catch (failure) {
      if (connection.isTransaction) connection.exec('ROLLBACK');
      throw failure;
    }
  }
  requireOurs(path, connection, migrations.length);
}

function numberOf(connection: Connection, pragma: 'user_version' | 'application_id'): number {
  const row = connection.prepare(`PRAGMA ${pragma}`).get();
  const value = row?.[pragma];
  return typeof value === 'number' ? value : 0;
}

/** Counts this transaction; null in a database that does not count. */
function nextSerial(connection: Connection): number | null {
  const before = serialOf(connection);
  if (before === null) return null;
  connection.prepare('UPDATE transactions SET serial = ?').run(before + 1);
  return before + 1;
}

function serialOf(connection: Connection): number | null {
  const counts = connection
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'transactions'")
    .get();
  if (counts === undefined) return null;
  const serial = connection.prepare('SELECT serial FROM transactions').get()?.['serial'];
  return typeof serial === 'number' ? serial : 0;
}

function requireNewest(path: string, serial: number | null, expected: number | null): void {
  if (expected === null || (serial ?? 0) >= expected) return;
  throw refusal(
    path,
    `has ${serial ?? 0} transaction(s), and ${expected} were acknowledged: it is an older copy, or has lost what was in ` +
      `${path}-wal. It was left alone: put back the newest copy, with its -wal file where there is one; or go on ` +
      `with this one knowingly: ${forgetCommand('database')} (${lostWithIt})`,
  );
}
