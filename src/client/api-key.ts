/** The secret of an API key (`sa_…`). */
export type ApiKeySecret = string | Buffer;

/**
 * What a client authenticates with: the secret, or what is asked for it at every connection, so that it need not stay
 * in memory or may be replaced meanwhile. A Buffer stays the caller's, who may wipe it when the client is closed.
 */
export type ApiKeySource = ApiKeySecret | (() => ApiKeySecret | Promise<ApiKeySecret>);

/** The secret as it is sent. Rejects as the source does. */
export async function secretFrom(source: ApiKeySource): Promise<string> {
  const secret = typeof source === 'function' ? await source() : source;
  return typeof secret === 'string' ? secret : secret.toString('utf8');
}
