/** Scopes, each with the rights of those before it (docs/protocol.md, "Who may call what"). */
export const scopes = ['none', 'reader', 'app', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Who is calling. `uid` and `pid` are those of the process that connected, null where none of this machine did. */
export type Principal = UserPrincipal | ApiKeyPrincipal | NetworkPrincipal;

/** A process of this machine, by its user. */
interface UserPrincipal {
  readonly kind: 'user';
  /** The login name, or the uid in decimal where it has none. */
  readonly name: string;
  readonly uid: number;
  readonly pid: number;
  readonly scope: Scope;
  readonly api_key?: never;
}

/** Whoever holds an API key, on the connection that has authenticated with it. */
interface ApiKeyPrincipal {
  readonly kind: 'api_key';
  /** The id of the API key. */
  readonly name: string;
  readonly uid: number | null;
  readonly pid: number | null;
  readonly scope: Scope;
  /** As `name`. */
  readonly api_key: string;
}

/** A client over the network without an API key. */
interface NetworkPrincipal {
  readonly kind: 'network';
  /** Address and port that it connected from, such as `127.0.0.1:52114`. */
  readonly name: string;
  readonly uid: null;
  readonly pid: null;
  readonly scope: Scope;
  readonly api_key?: never;
}
