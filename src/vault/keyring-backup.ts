import type { Restored } from '../api/backup.ts';

/** A keystore's document as it stands in its file. */
export interface KeystoreCopy {
  /** The caller's, who wipes them. */
  readonly bytes: Buffer;
  readonly kids: readonly string[];
}

/** Copies of a keyring's keys: taken out for a backup, put back by a restore. */
export interface KeyringBackup {
  /** Throws `backend_unavailable` where there is nothing, or nothing that could be restored. */
  take(): KeystoreCopy;

  /**
   * Puts a copy back: all of it or, where it rejects, nothing. What was there before is kept beside it. `bytes` stay
   * the caller's.
   *
   * Rejects with `invalid_params` where they are nothing that can be used, `already_exists` with what would change
   * where there is something and `replace` is false, `conflict` where somebody changes it meanwhile.
   */
  restore(bytes: Buffer, options: { replace: boolean }): Promise<Restored>;
}
