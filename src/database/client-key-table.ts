import type { Actor } from '../api/client-keys.ts';
import type { ClientKey } from '../access/client-key.ts';
import type { ClientKeyStore } from '../access/client-keys.ts';
import type { Database } from './database.ts';

/** A row of the table `client_keys`. */
interface Row {
  readonly id: string;
  readonly actor_kind: Actor['kind'];
  readonly actor_id: string;
  readonly public_key: Uint8Array;
  readonly label: string | null;
  readonly created_at: string;
  readonly last_used_at: string | null;
  readonly revoked_at: string | null;
}

/** The client keys in a database. */
export class ClientKeyTable implements ClientKeyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  atomically<T>(work: () => T): Promise<T> {
    return this.#database.atomically(work);
  }

  find(id: string): ClientKey | null {
    return this.#keys('SELECT * FROM client_keys WHERE id = ?', id)[0] ?? null;
  }

  list({ actor, revoked }: { actor: Actor | null; revoked: number }): readonly ClientKey[] {
    const { where, values } = of(actor);
    return this.#keys(
      `SELECT * FROM client_keys WHERE ${where} AND revoked_at IS NULL
        UNION ALL SELECT * FROM (
          SELECT * FROM client_keys WHERE ${where} AND revoked_at IS NOT NULL
          ORDER BY revoked_at DESC, created_at DESC, id DESC LIMIT ?
        )
        ORDER BY created_at DESC, id DESC`,
      ...values,
      ...values,
      revoked,
    );
  }

  countRevoked(actor: Actor | null): number {
    const { where, values } = of(actor);
    const [row] = this.#database.rows(
      `SELECT count(*) AS keys FROM client_keys WHERE ${where} AND revoked_at IS NOT NULL`,
      ...values,
    );
    return Number(row?.['keys']);
  }

  count(actor: Actor): number {
    const [row] = this.#database.rows(
      'SELECT count(*) AS keys FROM client_keys WHERE actor_kind = ? AND actor_id = ? AND revoked_at IS NULL',
      actor.kind,
      actor.id,
    );
    return Number(row?.['keys']);
  }

  add(key: ClientKey): void {
    this.#database.run(
      `INSERT INTO client_keys
        (id, actor_kind, actor_id, public_key, label, created_at, last_used_at, revoked_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      key.id,
      key.actor.kind,
      key.actor.id,
      key.publicKey,
      key.label,
      key.createdAt,
      key.lastUsedAt,
      key.revokedAt,
    );
  }

  revoke(id: string, at: string): void {
    this.#database.run('UPDATE client_keys SET revoked_at = ? WHERE id = ?', at, id);
  }

  touch(id: string, at: string): void {
    this.#database.run('UPDATE client_keys SET last_used_at = ? WHERE id = ?', at, id);
  }

  #keys(sql: string, ...values: readonly (string | number)[]): readonly ClientKey[] {
    return (this.#database.rows(sql, ...values) as unknown as readonly Row[]).map((row) => ({
      id: row.id,
      actor: { kind: row.actor_kind, id: row.actor_id },
      publicKey: row.public_key,
      label: row.label,
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at,
      revokedAt: row.revoked_at,
    }));
  }
}

function of(actor: Actor | null): { where: string; values: readonly string[] } {
  if (actor === null) return { where: 'TRUE', values: [] };
  return { where: 'actor_kind = ? AND actor_id = ?', values: [actor.kind, actor.id] };
}
