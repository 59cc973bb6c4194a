/** A secret: as text, or as its UTF-8 bytes. */
export type Secret = string | Uint8Array;

/**
 * A secret, or what is asked for it at every use, so that it need not stay in memory or may be replaced meanwhile. A
 * Uint8Array (a Buffer too) stays the caller's, who may wipe it when it is not needed any more.
 */
export type SecretSource = Secret | (() => Secret | Promise<Secret>);

/** The secret of an API key (`sa_…`). It is asked for at every connection. */
export type ApiKeySource = SecretSource;

/** The PIN of a keyring's token. It is asked for once a call. */
export type PinSource = SecretSource;

/** The secret as it is sent. Rejects as the source does. */
export async function secretFrom(source: SecretSource): Promise<string> {
  const secret = typeof source === 'function' ? await source() : source;
  if (typeof secret === 'string') return secret;
  return Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength).toString('utf8');
}
