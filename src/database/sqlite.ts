import { AgentError, describeFailure } from '../base/errors.ts';

/** Text, numbers, NULL and blobs, as they go in and out. */
export type Value = string | number | null | Uint8Array;

interface Statement {
  run(...values: readonly Value[]): unknown;
  get(...values: readonly Value[]): Record<string, unknown> | undefined;
  all(...values: readonly Value[]): Record<string, unknown>[];
}

/**
 * One open file: what node:sqlite and the package that stands in for it have in common, as far as it is used. What
 * they throw has SQLite's extended result code in `errcode`.
 */
export interface Connection {
  readonly isOpen: boolean;
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface ConnectionOptions {
  readonly readOnly?: boolean;
  /** How long SQLite waits for another process that writes, milliseconds. */
  readonly timeout?: number;
  readonly enableForeignKeyConstraints?: boolean;
  readonly enableDoubleQuotedStringLiterals?: boolean;
}

export interface Sqlite {
  readonly DatabaseSync: new (path: string, options?: ConnectionOptions) => Connection;
}

/** Where SQLite is taken from. */
export type SqliteSource = 'node:sqlite' | '@photostructure/sqlite';

/** From here on Node.js says of node:sqlite that it may be relied on; before, it changed and warned. */
const builtInFrom = 24;

/** `version`: of Node.js, as `process.versions.node` has it. */
export function sqliteSource(version: string): SqliteSource {
  return Number.parseInt(version, 10) >= builtInFrom ? 'node:sqlite' : '@photostructure/sqlite';
}

/** Loaded when there is a database to open. Rejects with `backend_unavailable` and the remedy. */
export async function loadSqlite(): Promise<Sqlite> {
  const source = sqliteSource(process.versions.node);
  try {
    return await loaders[source]();
  } catch (failure) {
    throw new AgentError(
      'backend_unavailable',
      `SQLite cannot be loaded: ${describeFailure(failure)}. ${remedies[source]}`,
      { cause: failure },
    );
  }
}

const loaders: Readonly<Record<SqliteSource, () => Promise<Sqlite>>> = {
  'node:sqlite': () => {
    const builtIn = process.getBuiltinModule('node:sqlite');
    if (builtIn === undefined) throw new Error('this Node.js was built without node:sqlite');
    return Promise.resolve(builtIn as Sqlite);
  },
  '@photostructure/sqlite': () => import('@photostructure/sqlite'),
};

const remedies: Readonly<Record<SqliteSource, string>> = {
  'node:sqlite': 'Take a Node.js that has it, such as those of nodejs.org',
  '@photostructure/sqlite':
    `Node.js before ${builtInFrom} needs a package for it: npm install @photostructure/sqlite@1.2.1, where ` +
    'signing-agent is installed (with --global, where it is)',
};
