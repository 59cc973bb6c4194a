import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  write,
  type Stats,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { refusal, requirePrivate } from '../files/ownership.ts';
import { LogSpace, takeSecured, type Allocate } from './log-space.ts';

const synced = promisify(fsync);
/** What is compared to know a file again: bytes of its end. */
const tailLength = 512;

/** A file of lines that only grows. */
export interface LinesFile {
  readonly path: string;
  /** Bytes that count. */
  readonly size: number;
  /**
   * Puts the bytes behind those that count; resolves when they are on disk. Rejects with the system call that failed,
   * or AgentError where another program has touched the file: none of the bytes count then. `isUrgent`: they may take
   * the space that is held in reserve.
   */
  append(bytes: Buffer, isUrgent: boolean): Promise<void>;
  /** Makes room for the file that follows. False: there is none, and this one has to go on. */
  secureNext(): boolean;
  /** `isFull`: nothing is written to it any more. */
  close(isFull?: boolean): void;
}

export interface AppendFileOptions {
  /** What counts of it, bytes; 0: it is made where it is missing. */
  readonly size: number;
  /** Whether what was appended has to survive a power cut. */
  readonly durable: boolean;
  /** What stands behind `size` is to go, but not before the first bytes have been written over it. */
  readonly replacesRest: boolean;
  /** Null: no space is held in reserve. */
  readonly allocate: Allocate | null;
}

/**
 * `LinesFile` on the real file system. It is opened by the first `append`, and anew by the one after a failure: what
 * may have come of bytes that do not count is removed before others are written.
 */
export class AppendFile implements LinesFile {
  readonly path: string;
  readonly #durable: boolean;
  #size: number;
  #replacesRest: boolean;
  #fd: number | null = null;
  /** The inode that was written first. */
  #inode: number | null = null;
  /** The last bytes that count, as they were written. */
  #tail: Buffer = Buffer.alloc(0);
  readonly #space: LogSpace | null;

  constructor(path: string, { size, durable, replacesRest, allocate }: AppendFileOptions) {
    this.path = path;
    this.#size = size;
    this.#durable = durable;
    this.#replacesRest = replacesRest;
    this.#space = allocate === null ? null : new LogSpace(allocate);
  }

  get size(): number {
    return this.#size;
  }

  async append(bytes: Buffer, isUrgent: boolean): Promise<void> {
    const fd = this.#fd ?? (await this.#open());
    const end = this.#size + bytes.length;
    try {
      if (!this.#replacesRest) this.#requireUntouched();
      if (!isUrgent) this.#space?.require(fd, this.#size, end);
      for (let written = 0; written < bytes.length;) {
        written += await writeAt(fd, bytes, written, this.#size + written);
      }
      if (this.#replacesRest) {
        ftruncateSync(fd, end);
        this.#space?.forget();
        await synced(fd);
        this.#replacesRest = false;
      }
    } catch (failure) {
      this.#abandon(fd);
      throw failure;
    }
    this.#size = end;
    this.#tail =
      bytes.length >= tailLength
        ? Buffer.from(bytes.subarray(-tailLength))
        : Buffer.concat([this.#tail, bytes]).subarray(-tailLength);
  }

  secureNext(): boolean {
    return this.#space?.secureNext(dirname(this.path)) ?? true;
  }

  close(isFull = false): void {
    if (this.#fd === null) return;
    try {
      if (isFull) this.#space?.release(this.#fd, this.#size);
    } finally {
      closeSync(this.#fd);
      this.#fd = null;
    }
  }

  /** After a failed sync the kernel may have dropped what it had: only what can be read back is there. */
  async #open(): Promise<number> {
    const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_DSYNC } = constants;
    const create = this.#size === 0 ? O_CREAT : 0;
    // Written and synced in one call: a sync of its own would be another way to a thread and back.
    const durable = this.#durable ? O_DSYNC : 0;
    if (this.#size === 0) takeSecured(this.path);
    const fd = openSync(this.path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | create | durable, 0o600);
    try {
      const inode = fstatSync(fd);
      this.#requireSame(fd, inode);
      if (inode.size > this.#size && !this.#replacesRest) ftruncateSync(fd, this.#size);
      await synced(fd);
      if (this.#size === 0) await syncDirectory(dirname(this.path));
      this.#fd = fd;
      return fd;
    } catch (failure) {
      closeSync(fd);
      throw failure;
    }
  }

  #requireSame(fd: number, inode: Stats): void {
    if (!inode.isFile()) throw refusal(this.path, 'is not a regular file');
    requirePrivate(this.path, inode, '600');
    if (this.#inode === null) {
      if (this.#size === 0 && inode.size > 0 && !this.#replacesRest) {
        throw refusal(this.path, 'is there already: move it away');
      }
      this.#inode = inode.ino;
      this.#tail = readTail(fd, this.#size);
    }
    if (inode.ino !== this.#inode) throw refusal(this.path, `is another file now: ${putBack}`);
    if (inode.size < this.#size || !readTail(fd, this.#size).equals(this.#tail)) {
      throw refusal(this.path, `has lost some of what was written: ${putBack}`);
    }
  }

  /** Cheap enough for every write. By its name: what goes into a file that was moved is not in the log. */
  #requireUntouched(): void {
    const inode = lstatSync(this.path, { throwIfNoEntry: false });
    if (inode === undefined) throw refusal(this.path, `was removed or moved away: ${putBack}`);
    if (inode.ino !== this.#inode) throw refusal(this.path, `is another file now: ${putBack}`);
    if (inode.size !== this.#size) throw refusal(this.path, 'was written to by somebody else');
  }

  #abandon(fd: number): void {
    try {
      this.#space?.forget();
      // Not where nothing of it was written: it would cost the space that is held behind it.
      if (!this.#replacesRest && fstatSync(fd).size > this.#size) ftruncateSync(fd, this.#size);
    } catch {
      // It is done again before anything else is written.
    } finally {
      closeSync(fd);
      this.#fd = null;
    }
  }
}

const putBack = 'put back the one that the agent wrote, or stop the agent and keep the directory';

function writeAt(fd: number, bytes: Buffer, from: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, position, (failure, written) => {
      if (failure === null) resolve(written);
      else reject(failure);
    });
  });
}

function readTail(fd: number, size: number): Buffer {
  const tail = Buffer.alloc(Math.min(size, tailLength));
  const read = readSync(fd, tail, 0, tail.length, size - tail.length);
  return tail.subarray(0, read);
}

/** A new name reaches the disk only with its directory. */
async function syncDirectory(path: string): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await synced(fd);
  } finally {
    closeSync(fd);
  }
}
