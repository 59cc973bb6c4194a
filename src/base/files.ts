/** Files that hold keys or state: read with checks, replaced atomically and durably. */
export interface Files {
  /**
   * What tells one version of a file from another (device, inode, size, times), from one lstat; null where
   * there is none. Cheap enough for every signature.
   */
  identify(path: string): string | null;

  /**
   * Reads a whole file that only this user (or root) may read and write. Refuses, naming the path and the
   * remedy, a symbolic link, anything but a regular file, a foreign owner, a mode beyond 0600, or more than
   * `maxBytes`; null where there is no such file.
   */
  read(path: string): FileContent | null;

  /**
   * Replaces the file in one step that survives a power cut: temporary file opened exclusively and without
   * following links, mode 0600, fsync, rename, fsync of the directory. Answers the new identity.
   * `conflict` unless the file is still the version `expected` (null: there is none yet); `backend_unavailable` for more
   * than `read` takes.
   */
  replace(path: string, bytes: Uint8Array, expected: string | null): Promise<string>;

  /**
   * As `replace`, for a file that other programs write without a lock: answers with what was in its place at the very
   * moment that it was replaced (null where nothing was), which may be a version that nobody has read. The caller
   * wipes those bytes.
   */
  exchange(path: string, bytes: Uint8Array, expected: string | null): Promise<Exchanged>;

  /**
   * Does the work; what it replaces may take the space that is held in reserve, once the disk is full. As long as one
   * such work is under way, what others replace may take it too.
   */
  urgently<T>(work: () => Promise<T>): Promise<T>;

  /**
   * Holds space in reserve, for every file on the file system of that directory, which is made and has nothing else.
   * Again: makes what is missing of it by now, as far as there is room.
   */
  holdReserve(dir: string): void;

  /** Removes what writers that were killed have left beside the file. */
  tidy(path: string): void;

  /** Removes a file that `replace` made in vain, as long as it is that version. Throws as `identify` does. */
  discard(path: string, expected: string): void;
}

interface Exchanged {
  readonly identity: string;
  readonly before: Buffer | null;
}

export interface FileContent {
  readonly bytes: Buffer;
  readonly identity: string;
  /** Last modification, milliseconds since the epoch. */
  readonly modifiedAt: number;
}
