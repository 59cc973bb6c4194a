/**
 * The eight operations that callers see (docs/protocol.md), the same in the agent and over the socket.
 * Records have the wire's own shapes and names, so that library, wire and `--json` speak one language;
 * messages and signatures are bytes here and base64url on the wire. Times are RFC 3339 in UTC.
 * Every method rejects with an AgentError whose kind is named beside it.
 */

export type AlgorithmName = 'ed25519' | 'es256';
export type BackendName = 'file' | 'pkcs11' | 'tpm';

/**
 * `hardware`: made in the device, never leaves it. `hardware-wrapped`: at rest the key needs the device, in
 * use it is in memory. `software`: neither.
 */
export type Protection = 'hardware' | 'hardware-wrapped' | 'software';

/**
 * What would notice an older copy of the key records that was put back, or one that was edited: a counter and a
 * key in the token, or nothing.
 */
export type RollbackProtection = 'token' | 'none';

export interface PruneOptions {
  /** Also keys that nothing uses and nobody was told of. Nothing brings them back. */
  readonly leftOver?: boolean | undefined;
}

/**
 * A key is never in two of these at once. `retired` has no grace left but was not pruned yet; or it is left over: found by
 * a start or a reconcile, and never acknowledged.
 */
export type KeyStatus = 'prepared' | 'active' | 'grace' | 'revoked' | 'retired';

export interface BackendDescription {
  readonly name: BackendName;
  /** True for protection `hardware` only. */
  readonly is_hardware_backed: boolean;
  readonly protection: Protection;
  readonly algorithm: AlgorithmName;
}

export interface ValidKey {
  /** The first 8 lowercase hex digits of SHA-256 over the public key bytes. */
  readonly kid: string;
  /** Ed25519: 32 bytes (RFC 8032). ES256: 65 bytes, the uncompressed point (SEC 1, 2.3.3). */
  readonly public_key_b64: string;
  readonly status: 'active' | 'grace' | 'prepared';
  /** End of the grace; null while the key is active or prepared. */
  readonly valid_until: string | null;
  readonly created_at: string;
}

export interface Signature {
  /** The key that signed. */
  readonly kid: string;
  /** 64 bytes: Ed25519 R‖S (RFC 8032, 5.1.6), ES256 r‖s (RFC 7518, 3.4). */
  readonly signature: Uint8Array;
}

export interface SignatureBatch {
  readonly kid: string;
  /** One signature a message, in the order of the messages. */
  readonly signatures: readonly Uint8Array[];
}

export interface Rotation {
  readonly new_active_kid: string;
  readonly new_active_public_key_b64: string;
  readonly previous_kid: string;
  /** From this moment on the previous key is valid no more. */
  readonly previous_grace_until: string;
}

export interface SigningBackend {
  /** @throws {AgentError} `locked`, `backend_unavailable`. */
  describeBackend(): Promise<BackendDescription>;
  /** @throws {AgentError} `locked`, `backend_unavailable`. */
  activeKeyId(): Promise<string>;
  /**
   * null where the kid is unknown, revoked, or its grace has expired.
   *
   * @throws {AgentError} `locked`, `backend_unavailable`.
   */
  publicKeyB64(kid: string): Promise<string | null>;
  /**
   * Active first, then grace by descending `valid_until`, then, where asked for, the prepared key.
   *
   * @throws {AgentError} `locked`, `backend_unavailable`.
   */
  listValidPubkeys(options?: { includePrepared?: boolean }): Promise<readonly ValidKey[]>;
  /**
   * Signs with `kid`, or with the active key.
   *
   * @throws {AgentError} `unknown_kid` unless that key is active or in grace; `too_large` and `not_supported` for a
   * message that it cannot sign; `locked`, `backend_unavailable`.
   */
  sign(message: Uint8Array, kid?: string): Promise<Signature>;
  /**
   * 1 to 256 messages, all signed by one key, or none is answered.
   *
   * @throws {AgentError} As `sign`.
   */
  signBatch(messages: readonly Uint8Array[], kid?: string): Promise<SignatureBatch>;
  /**
   * A new key, or the prepared one, becomes active; the previous one stays valid for `graceSeconds`
   * (whole, 0 or more).
   *
   * @throws {AgentError} `conflict` where someone else kept changing the state meanwhile; `locked`,
   * `backend_unavailable`.
   */
  rotate(graceSeconds: number): Promise<Rotation>;
  /**
   * Removes keys whose grace has ended, with `leftOver` those that are left over too; answers how many. Writes nothing where there are none.
   *
   * @throws {AgentError} `conflict`, `locked`, `backend_unavailable`.
   */
  pruneExpiredGrace(options?: PruneOptions): Promise<number>;
}

export interface PreparedKey {
  readonly kid: string;
  readonly public_key_b64: string;
  /** When it is meant to become active; null where the next `rotate` decides. */
  readonly activates_at: string | null;
}

/** A key that another program made in the same device. */
export interface ImportedKey extends PreparedKey {
  /** As KeyDetails.attributes. */
  readonly attributes: Readonly<Record<string, unknown>> | null;
}

export interface Revocation {
  readonly kid: string;
  readonly revoked_at: string;
  /** Set where the active key was revoked and so was replaced. */
  readonly new_active_kid?: string;
}

export interface Verification {
  readonly valid: boolean;
  /** The valid key that made the signature; where none did, the `kid` that was asked for, or null. */
  readonly kid: string | null;
  /** Why it is not valid. */
  readonly reason?: string;
}

export interface KeyDetails {
  readonly kid: string;
  readonly public_key_b64: string;
  readonly state: KeyStatus;
  readonly created_at: string;
  readonly valid_until: string | null;
  readonly activates_at?: string | null;
  readonly revoked_at?: string;
  readonly reason?: string;
  readonly protection: Protection;
  /** CKA_ID in lowercase hex; null where the backend has no objects of its own. */
  readonly object_id: string | null;
  /** What the token itself says of the private key, by attribute name; null where there is no token. */
  readonly attributes: Readonly<Record<string, unknown>> | null;
}

/** What an operator does with a keyring beyond the eight operations. */
export interface KeyAdministration {
  /**
   * Strict verification (SECURITY.md, "Signatures") against the currently valid keys, or against `kid` alone.
   *
   * @throws {AgentError} `locked`, `backend_unavailable`.
   */
  verify(message: Uint8Array, signature: Uint8Array, kid?: string): Promise<Verification>;
  /** @throws {AgentError} `already_exists` while another prepared key waits; `conflict`, `locked`, `backend_unavailable`. */
  prepare(activateAfterSeconds?: number): Promise<PreparedKey>;
  /**
   * @throws {AgentError} `unknown_kid` where there is no such key or it is revoked already; `conflict`, `locked`,
   * `backend_unavailable`.
   */
  revoke(kid: string, reason?: string): Promise<Revocation>;
  /** @throws {AgentError} `locked`, `backend_unavailable`. */
  listKeys(): Promise<readonly KeyDetails[]>;
}
