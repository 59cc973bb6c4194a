/** The result of `backup`. */
export interface Backup {
  readonly keyring: string;
  /** Of every key in it. */
  readonly kids: readonly string[];
  /** The client keys that open it: id (`ck_…`) and age recipient. */
  readonly recipients: readonly { readonly id: string; readonly recipient: string }[];
  /** The keystore as an armored age file. */
  readonly age: string;
}

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

/** The result of `restore`. */
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
