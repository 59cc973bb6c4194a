import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoName } from '../base/errors.ts';
import type { Libc } from '../native/libc.ts';
import { ensurePrivateDir } from './checked-dir.ts';

const kibibyte = 1024;
/** Of stat(2)'s st_blocks, bytes. */
const blockSize = 512;
/** Bytes of a file, and how many there are: key records are short, lists of API keys may be long. */
const sizes: readonly (readonly [size: number, count: number])[] = [
  [16 * kibibyte, 48],
  [128 * kibibyte, 8],
  [1024 * kibibyte, 2],
];

/**
 * Files that have their space on the disk already. One of them is written over and takes the place of another file, so
 * that this works on a full disk, whatever others write meanwhile.
 */
export class Reserve {
  readonly #dir: string;
  readonly #libc: Pick<Libc, 'allocate'>;
  /** Paths of files that are there, by size, the smallest first. */
  readonly #held = new Map<number, string[]>(sizes.map(([size]) => [size, []]));
  #made = 0;

  /** Throws as `ensurePrivateDir` does, and with the system call that failed; a disk that is full already is none. */
  constructor(dir: string, libc: Pick<Libc, 'allocate'>) {
    this.#dir = dir;
    this.#libc = libc;
    ensurePrivateDir(dir);
    for (const name of readdirSync(dir)) this.#keepOrRemove(name);
    this.fill();
  }

  /** Device of the file system that it is on. */
  get device(): number {
    return lstatSync(this.#dir).dev;
  }

  /** Bytes that are held. */
  get held(): number {
    let bytes = 0;
    for (const [size, paths] of this.#held) bytes += size * paths.length;
    return bytes;
  }

  /** Makes what is missing, as far as there is room. */
  fill(): void {
    try {
      for (const [size, count] of sizes) {
        const paths = this.#held.get(size) ?? [];
        while (paths.length < count) paths.push(this.#make(size));
      }
    } catch (failure) {
      if (!isFull(failure)) throw failure;
    }
  }

  /** A file that has room for so many bytes, and is the caller's from here on; null where there is none. */
  take(bytes: number): string | null {
    for (const [size, paths] of this.#held) {
      const path = size >= bytes ? paths.pop() : undefined;
      if (path === undefined) continue;
      const taken = `${path}.taken`;
      renameSync(path, taken);
      return taken;
    }
    return null;
  }

  /** Of an agent before: removed and made anew it would be others' who fill the disk. What was taken is half written. */
  #keepOrRemove(name: string): void {
    const path = join(this.#dir, name);
    const inode = lstatSync(path);
    const allotted = inode.blocks * blockSize;
    const [size, count] = sizes.findLast(([bytes]) => bytes <= allotted) ?? [0, 0];
    const paths = this.#held.get(size) ?? [];
    const isOurs = inode.uid === process.geteuid?.() && (inode.mode & 0o7777) === 0o600;
    // Empty with its space behind the end, or zeros.
    const isWhole = inode.isFile() && (inode.size === 0 || inode.size === size);
    if (!/^\d+$/.test(name) || !isOurs || !isWhole || paths.length >= count) {
      unlinkSync(path);
      return;
    }
    paths.push(path);
    this.#made = Math.max(this.#made, Number(name));
  }

  #make(size: number): string {
    this.#made += 1;
    const path = join(this.#dir, `${this.#made}`);
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const fd = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      if (!this.#libc.allocate(fd, 0, size)) fillWithZeros(fd, size);
    } catch (failure) {
      unlinkSync(path);
      throw failure;
    } finally {
      closeSync(fd);
    }
    return path;
  }
}

/** Whether it is for want of room that a system call failed. */
export function isFull(failure: unknown): boolean {
  const errno = errnoName(failure);
  return errno === 'ENOSPC' || errno === 'EDQUOT';
}

/** A file system that cannot allocate keeps what was written, as long as it is written over in place. */
function fillWithZeros(fd: number, size: number): void {
  const zeros = Buffer.alloc(size);
  while (fstatSync(fd).size < size) {
    const at = fstatSync(fd).size;
    writeSync(fd, zeros, 0, size - at, at);
  }
}
