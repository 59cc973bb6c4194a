/** Whose a client key is: a user, by uid in decimal, or an API key, by its id. */
export interface Actor {
  readonly kind: 'user' | 'api_key';
  readonly id: string;
}

/** A registered client key. Times are RFC 3339 in UTC. */
export interface ClientKeyView {
  /** `ck_` and 32 lowercase hex digits. */
  readonly id: string;
  /** `name`: the login name of a user; null where the uid has none, and of an API key. */
  readonly actor: Actor & { readonly name: string | null };
  /** X25519, 32 bytes (RFC 7748). */
  readonly public_key_b64: string;
  /** The same key as age writes it. */
  readonly recipient: string;
  readonly label: string | null;
  readonly created_at: string;
  readonly last_used_at: string | null;
  /** Nothing is encrypted for it from then on; the record stays. */
  readonly revoked_at: string | null;
}

/** The result of `clientkey_list`. */
export interface ClientKeyList {
  /** The newest first. */
  readonly keys: readonly ClientKeyView[];
  /** Keys that were revoked before those that are listed; left out where there are none. */
  readonly older_revoked?: number;
}
