import { AgentError } from '../base/errors.ts';
import { databaseExists } from './database-files.ts';
import { openDatabase, type Database } from './database.ts';

/**
 * `agent.db` of a running agent: open from the start where the file is there, else made when something is first
 * kept in it, so that an agent that keeps nothing there does not load SQLite.
 */
export class AgentDatabase {
  readonly #path: string;
  #open: Database | null = null;
  #opening: Promise<Database> | null = null;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** As `openDatabase`, where the file is there. */
  async openExisting(): Promise<void> {
    if (databaseExists(this.#path)) await this.openOrCreate();
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
    const database = await openDatabase(this.#path);
    if (this.#closed) {
      database.close();
      throw new AgentError('shutting_down', 'the agent stops');
    }
    this.#open = database;
    return database;
  }
}
