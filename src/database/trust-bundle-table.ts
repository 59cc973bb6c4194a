import type { StoredBundle, TrustBundleStore } from '../cluster/trust-bundles.ts';
import type { Database } from './database.ts';
import type { Value } from './sqlite.ts';

/** A row of the table `trust_bundles`. */
interface Row {
  /** UTF-8. The binding cuts a text at its first NUL, and that would be another domain. */
  readonly cluster_domain: Uint8Array;
  readonly text: string;
  readonly imported_at: string;
}

/** The trust bundles in a database. */
export class TrustBundleTable implements TrustBundleStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  atomically<T>(work: () => T): Promise<T> {
    return this.#database.atomically(work);
  }

  find(domain: string): StoredBundle | null {
    const [row] = this.#rows('SELECT * FROM trust_bundles WHERE cluster_domain = ?', keyOf(domain));
    return row === undefined ? null : bundleOf(row);
  }

  list(): readonly (readonly [string, StoredBundle])[] {
    return this.#rows('SELECT * FROM trust_bundles ORDER BY cluster_domain').map((row) => [
      Buffer.from(row.cluster_domain).toString('utf8'),
      bundleOf(row),
    ]);
  }

  count(): number {
    const [row] = this.#database.rows('SELECT count(*) AS bundles FROM trust_bundles');
    return Number(row?.['bundles']);
  }

  put(domain: string, { text, importedAt }: StoredBundle): void {
    this.#database.run(
      'INSERT OR REPLACE INTO trust_bundles (cluster_domain, text, imported_at) VALUES (?, ?, ?)',
      keyOf(domain),
      text,
      importedAt,
    );
  }

  remove(domain: string): void {
    this.#database.run('DELETE FROM trust_bundles WHERE cluster_domain = ?', keyOf(domain));
  }

  #rows(sql: string, ...values: readonly Value[]): readonly Row[] {
    return this.#database.rows(sql, ...values) as unknown as readonly Row[];
  }
}

function keyOf(domain: string): Buffer {
  return Buffer.from(domain, 'utf8');
}

function bundleOf({ text, imported_at }: Row): StoredBundle {
  return { text, importedAt: imported_at };
}
