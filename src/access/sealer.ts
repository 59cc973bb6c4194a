/** Encrypts for registered client keys. */
export interface Sealer {
  /**
   * `plaintext` as an armored age file that the holders of these client keys (`ck_…`) can open, each with their own.
   * Rejects with `not_found` for an id that is not registered or is revoked; nothing is encrypted then.
   */
  seal(clientKeys: readonly string[], plaintext: Uint8Array): Promise<string>;
}
