import type { RevokedToken, RevokedTokenStore } from '../cluster/revoked-tokens.ts';
import type { Database } from './database.ts';
import type { Value } from './sqlite.ts';

/** A row of the table `revoked_tokens`. */
interface Row {
  readonly hash: string;
  readonly signed: string | null;
  readonly kid: string | null;
  readonly revoked_at: string;
  readonly expires_at: string;
  readonly expires_ms: number;
}

/** The revoked join tokens in a database. */
export class RevokedTokenTable implements RevokedTokenStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  atomically<T>(work: () => T): Promise<T> {
    return this.#database.atomically(work);
  }

  find(hash: string): RevokedToken | null {
    return this.#tokens('SELECT * FROM revoked_tokens WHERE hash = ?', hash)[0] ?? null;
  }

  has(hashes: readonly string[], signed: string, now: number): boolean {
    const places = hashes.map(() => '?').join();
    const rows = this.#database.rows(
      `SELECT 1 FROM revoked_tokens WHERE (hash IN (${places}) OR signed = ?) AND expires_ms > ? LIMIT 1`,
      ...hashes,
      signed,
      now,
    );
    return rows.length > 0;
  }

  list(now: number, limit: number): readonly RevokedToken[] {
    return this.#tokens(
      'SELECT * FROM revoked_tokens WHERE expires_ms > ? ORDER BY revoked_at DESC, hash LIMIT ?',
      now,
      limit,
    );
  }

  count(now: number): number {
    const [row] = this.#database.rows(
      'SELECT count(*) AS tokens FROM revoked_tokens WHERE expires_ms > ?',
      now,
    );
    return Number(row?.['tokens']);
  }

  put({ hash, signed, kid, revokedAt, expiresAt, expiresMs }: RevokedToken): void {
    this.#database.run(
      `INSERT OR REPLACE INTO revoked_tokens (hash, signed, kid, revoked_at, expires_at, expires_ms)
        VALUES (?, ?, ?, ?, ?, ?)`,
      hash,
      signed,
      kid,
      revokedAt,
      expiresAt,
      expiresMs,
    );
  }

  removeExpired(now: number): void {
    const expired = this.#database.rows(
      'SELECT 1 FROM revoked_tokens WHERE expires_ms <= ? LIMIT 1',
      now,
    );
    if (expired.length === 0) return;
    this.#database.run(
      `INSERT INTO revoked_tokens_removal (id, latest_ms)
        SELECT 1, max(expires_ms) FROM revoked_tokens WHERE expires_ms <= ?
        ON CONFLICT (id) DO UPDATE SET latest_ms = max(latest_ms, excluded.latest_ms)`,
      now,
    );
    this.#database.run('DELETE FROM revoked_tokens WHERE expires_ms <= ?', now);
  }

  latestRemoved(): number | null {
    const [row] = this.#database.rows('SELECT latest_ms FROM revoked_tokens_removal');
    return row === undefined ? null : Number(row['latest_ms']);
  }

  #tokens(sql: string, ...values: readonly Value[]): readonly RevokedToken[] {
    return (this.#database.rows(sql, ...values) as unknown as readonly Row[]).map((row) => ({
      hash: row.hash,
      signed: row.signed,
      kid: row.kid,
      revokedAt: row.revoked_at,
      expiresAt: row.expires_at,
      expiresMs: row.expires_ms,
    }));
  }
}
