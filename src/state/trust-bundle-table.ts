import type { StoredBundle, TrustBundleStore } from '../cluster/trust-bundles.ts';
import type { Database } from './database.ts';

/** A row of the table `trust_bundles`. */
interface Row {
  readonly cluster_domain: string;
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
    const [row] = this.#rows('SELECT * FROM trust_bundles WHERE cluster_domain = ?', domain);
    return row === undefined ? null : bundleOf(row);
  }

  list(): readonly (readonly [string, StoredBundle])[] {
    return this.#rows('SELECT * FROM trust_bundles ORDER BY cluster_domain').map((row) => [
      row.cluster_domain,
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
      domain,
      text,
      importedAt,
    );
  }

  remove(domain: string): void {
    this.#database.run('DELETE FROM trust_bundles WHERE cluster_domain = ?', domain);
  }

  #rows(sql: string, ...values: readonly string[]): readonly Row[] {
    return this.#database.rows(sql, ...values) as unknown as readonly Row[];
  }
}

function bundleOf({ text, imported_at }: Row): StoredBundle {
  return { text, importedAt: imported_at };
}
