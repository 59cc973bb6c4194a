/** Scopes, each with the rights of those before it (contract section 6). */
export const scopes = ['none', 'reader', 'app', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** What the kernel says of the process at the other end, fixed when it connected. */
export interface PeerCredentials {
  readonly uid: number;
  /** Effective group (SO_PEERCRED). */
  readonly gid: number;
  readonly pid: number;
  /** Supplementary groups (SO_PEERGROUPS). */
  readonly groups: readonly number[];
}

/** The process at the other end of a connection. */
export interface Peer extends PeerCredentials {
  /** Login name, null where the uid has none. */
  readonly name: string | null;
  /**
   * Path of the program, null where it cannot be read. Best effort: the process may have become another program
   * since it connected, or another process may have its pid by now. For the record only; nothing is decided by it.
   */
  readonly executable: string | null;
}

/** Who is calling. */
export interface Principal {
  readonly kind: 'user' | 'api_key';
  /** Of the user: the login name, or the uid in decimal where it has none. Of an API key: its id. */
  readonly name: string;
  readonly uid: number;
  readonly pid: number;
  readonly scope: Scope;
  /** Id of the API key that the connection has authenticated with. */
  readonly api_key?: string;
}

/** What a caller may do at this moment. */
export interface Grant {
  readonly principal: Principal;
  /** Keyrings that it may use; null: all. */
  readonly keyrings: ReadonlySet<string> | null;
  /** Signatures a second of the API key, over all its connections; null: no limit of its own. */
  readonly signaturesPerSecond: number | null;
}
