/** Scopes, each with the rights of those before it (contract section 6). */
export const scopes = ['none', 'reader', 'app', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** What the kernel says of the process at the other end (SO_PEERCRED), fixed when it connected. */
export interface PeerCredentials {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** Who is calling. */
export interface Principal {
  readonly kind: 'user';
  /** Login name, or the uid in decimal where it has none. */
  readonly name: string;
  readonly uid: number;
  readonly pid: number;
  readonly scope: Scope;
}
