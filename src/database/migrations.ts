/**
 * The schema of `agent.db`, step by step: each is what brings a database of that many steps to the next version.
 * What has been released is never changed, only followed.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE client_keys (
    id TEXT PRIMARY KEY,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'api_key')),
    actor_id TEXT NOT NULL,
    public_key BLOB NOT NULL CHECK (length(public_key) = 32),
    label TEXT,
    created_at TEXT NOT NULL,
    last_used_at TEXT,
    revoked_at TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX client_keys_in_use ON client_keys (actor_kind, actor_id, public_key)
    WHERE revoked_at IS NULL;`,
  // Of the CA there is one row at most; without a kid it was announced, and may have been made.
  `CREATE TABLE cluster_ca (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    backend TEXT NOT NULL CHECK (backend IN ('file', 'pkcs11')),
    object_id TEXT,
    kid TEXT,
    public_key BLOB CHECK (length(public_key) = 32),
    created_at TEXT,
    CHECK ((kid IS NULL) = (public_key IS NULL) AND (kid IS NULL) = (created_at IS NULL))
  ) STRICT;
  CREATE TABLE ca_certificates (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kid TEXT NOT NULL,
    text TEXT NOT NULL UNIQUE
  ) STRICT;`,
  `CREATE TABLE trust_bundles (
    cluster_domain BLOB PRIMARY KEY,
    text TEXT NOT NULL,
    imported_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE revoked_tokens (
    hash TEXT PRIMARY KEY CHECK (length(hash) = 64),
    signed TEXT,
    kid TEXT,
    revoked_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX revoked_tokens_signed ON revoked_tokens (signed) WHERE signed IS NOT NULL;
  CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_ms);
  CREATE TABLE revoked_tokens_removal (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    latest_ms INTEGER NOT NULL
  ) STRICT;`,
  // Which kinds of backend there are is for the program to know: an older table would refuse a newer one's.
  `CREATE TABLE cluster_ca_of_any_kind (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    backend TEXT NOT NULL,
    object_id TEXT,
    kid TEXT,
    public_key BLOB CHECK (length(public_key) = 32),
    created_at TEXT,
    CHECK ((kid IS NULL) = (public_key IS NULL) AND (kid IS NULL) = (created_at IS NULL))
  ) STRICT;
  INSERT INTO cluster_ca_of_any_kind SELECT one, backend, object_id, kid, public_key, created_at FROM cluster_ca;
  DROP TABLE cluster_ca;
  ALTER TABLE cluster_ca_of_any_kind RENAME TO cluster_ca;`,
];
