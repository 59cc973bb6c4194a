/** A file that has private keys. */
export interface FilePlace {
  readonly backend: 'file';
  /** Absolute. */
  readonly path: string;
}
