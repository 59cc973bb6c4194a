/** Scopes, each with the rights of those before it (contract section 6). */
export const scopes = ['none', 'reader', 'app', 'admin'] as const;
export type Scope = (typeof scopes)[number];

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
