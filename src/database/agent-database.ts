import { AgentError } from '../base/errors.ts';
import { forgetCommand } from '../base/forget-command.ts';
import { databaseExists, lostWithIt } from './database-files.ts';
import { refusal } from '../files/ownership.ts';
import { openDatabase, type Database, type TransactionLedger } from './database.ts';

/**
 * `agent.db` of a running agent: open from the start where the file is there, else made when something is first
 * kept in it, so that an agent that keeps nothing there does not load SQLite.
 */
export class AgentDatabase {
  readonly #path: string;
  readonly #ledger: TransactionLedger;
  #open: Database | null = null;
  #opening: Promise<Database> | null = null;
  #closed = false;

  constructor(path: string, ledger: TransactionLedger) {
    this.#path = path;
    this.#ledger = ledger;
  }

  /** As `openDatabase`, where the file is there. Rejects with `backend_unavailable` where it was there and is gone. */
  async openExisting(): Promise<void> {
    if (databaseExists(this.#path)) await this.openOrCreate();
    else if (this.#ledger.expected !== null) throw gone(this.#path);
  }

  /** Null as long as it was not made. */
  get current(): Database | null {
    return this.#open;
  }

  /** As `openDatabase`; tried again where it failed before. */
  openOrCreate(): Promise<Database> {
    this.#opening ??= this.#make().catch((failure: unknown) => {
      this.#opening = null;
      throw failure;
    });
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#open?.close();
    this.#open = null;
  }

  async #make(): Promise<Database> {
    const database = await openDatabase(this.#path, { ledger: this.#ledger });
    if (this.#closed) {
      database.close();
      throw new AgentError('shutting_down', 'the agent stops');
    }
    this.#open = database;
    return database;
  }
}

function gone(path: string): AgentError {
  return refusal(
    path,
    'is gone, and this agent has kept client keys, trusted clusters or revoked tokens in it. Put it back, with its ' +
      `-wal file where there is one; or begin without it knowingly: ${forgetCommand('database')} (${lostWithIt})`,
  );
}
