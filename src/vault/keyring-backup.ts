/** What a restore changes, or would. Each list has kids. */
export interface KeystoreChanges {
  readonly active_kid: string;
  /** Null where there was no keystore, or none that can be read. */
  readonly previous_active_kid: string | null;
  /** Every key that the backup brings. */
  readonly kids: readonly string[];
  /** Those of them that were not there before. */
  readonly returning: readonly string[];
  /** Keys that were there and are not in the backup. */
  readonly leaving: readonly string[];
  /** Keys that were revoked after the backup was made, and are valid as they were before. */
  readonly unrevoked: readonly string[];
}

export interface Restored extends KeystoreChanges {
  readonly keyring: string;
  readonly file: string;
  /** Where what was there before lies now; null where nothing was. */
  readonly previous_file: string | null;
  /**
   * The latest time that the restored keystore knows of, where this machine's clock is behind it: keys go by that
   * time, so that graces may be over. Null where it is not.
   */
  readonly latest_time_ahead: string | null;
}

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
