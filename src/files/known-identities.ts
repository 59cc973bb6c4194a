import { lstatSync } from 'node:fs';
import { isSameStatus, type FileStatus } from '../native/file-status.ts';
import { plainIdentity } from './identity.ts';

/** Words of a `struct statx`. */
const statusWords = 64;

interface Known {
  /** With a NUL behind it. */
  readonly path: Buffer;
  readonly status: Uint32Array;
  /** Of the file with that status; null: nothing is known. */
  identity: string | null;
}

/**
 * Identities of files that are asked for again and again, by every signature: as long as the kernel says the same of one,
 * so does this, without the objects that node makes of a status.
 */
export class KnownIdentities {
  readonly #status: FileStatus;
  readonly #known = new Map<string, Known>();
  readonly #found = new Uint32Array(statusWords);

  constructor(status: FileStatus) {
    this.#status = status;
  }

  /** By what lstat says; null where there is no such file. Throws what lstat throws. */
  of(path: string): string | null {
    const known = this.#knownOf(path);
    const isFound = this.#status.readStatus(known.path, this.#found);
    if (isFound && known.identity !== null && isSameStatus(this.#found, known.status)) {
      return known.identity;
    }
    const inode = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    const identity = inode === undefined ? null : plainIdentity(inode);
    // Where the file has become another one in between, its next status is not this one.
    known.identity = isFound ? identity : null;
    known.status.set(this.#found);
    return identity;
  }

  #knownOf(path: string): Known {
    let known = this.#known.get(path);
    if (known === undefined) {
      known = {
        path: Buffer.from(`${path}\0`, 'utf8'),
        status: new Uint32Array(statusWords),
        identity: null,
      };
      this.#known.set(path, known);
    }
    return known;
  }
}
