/** A file that has private keys. */
export interface FilePlace {
  readonly backend: 'file';
  /** Absolute. */
  readonly path: string;
}

/** A keyring in a file. */
export interface FileSettings extends FilePlace {
  /** Of the second copy, which no other program writes. */
  readonly copyPath: string;
}
