import type {
  CaRecord,
  CaRecords,
  CertificateStore,
  IssuedCertificate,
} from '../cluster/ca-records.ts';
import type { Database } from './database.ts';

/** A row of the table `cluster_ca`, which has one at most. */
interface Row {
  readonly backend: CaRecord['backend'];
  readonly object_id: string | null;
  readonly kid: string | null;
  readonly public_key: Uint8Array | null;
  readonly created_at: string | null;
}

/** The cluster CA in a database. */
export class CaTable implements CaRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  read(): CaRecord | null {
    const [row] = this.#database.rows('SELECT * FROM cluster_ca') as unknown as readonly Row[];
    if (row === undefined) return null;
    const { backend, object_id: objectId, kid, public_key, created_at } = row;
    const key =
      kid === null || public_key === null || created_at === null
        ? null
        : { kid, publicKey: public_key, createdAt: created_at };
    return { backend, objectId, key };
  }

  write({ backend, objectId, key }: CaRecord): Promise<void> {
    return this.#database.atomically(() => {
      this.#database.run(
        `INSERT OR REPLACE INTO cluster_ca (one, backend, object_id, kid, public_key, created_at)
          VALUES (1, ?, ?, ?, ?, ?)`,
        backend,
        objectId,
        key?.kid ?? null,
        key?.publicKey ?? null,
        key?.createdAt ?? null,
      );
    });
  }
}

/** The certificates that it issued, in the same database. */
export class CertificateTable implements CertificateStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(): readonly IssuedCertificate[] {
    return this.#database.rows(
      'SELECT kid, text FROM ca_certificates ORDER BY number DESC',
    ) as unknown as readonly IssuedCertificate[];
  }

  add({ kid, text }: IssuedCertificate): Promise<void> {
    return this.#database.atomically(() => {
      this.#database.run(
        'INSERT OR REPLACE INTO ca_certificates (kid, text) VALUES (?, ?)',
        kid,
        text,
      );
    });
  }

  remove(certificates: readonly IssuedCertificate[]): Promise<void> {
    return this.#database.atomically(() => {
      for (const { text } of certificates) {
        this.#database.run('DELETE FROM ca_certificates WHERE text = ?', text);
      }
    });
  }
}
