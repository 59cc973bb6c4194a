import { closeSync, constants, ftruncateSync, lstatSync, openSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isFull } from '../files/reserve.ts';

/** Behind the end of the file, for records of what takes something back: some hundred of them, bytes. */
const reserve = 256 * 1024;
/** Asked for at once, so that most records need no system call of their own, bytes. */
const step = 1024 * 1024;

/** `Libc.allocate`. */
export type Allocate = (fd: number, offset: number, length: number) => boolean;

/**
 * Space of the disk that a log file has before it is written. Ordinary records end where the reserve behind them
 * begins; whoever fills the disk cannot take that, since the file has it already.
 */
export class LogSpace {
  readonly #allocate: Allocate;
  /** Where ordinary records must end, bytes from the start of the file; 0: nothing is known yet. */
  #room = 0;
  #isHeld = false;
  #canAllocate = true;

  constructor(allocate: Allocate) {
    this.#allocate = allocate;
  }

  /** Whether the reserve was there once. Where it never was, the disk is too small, and nothing is kept back. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** For an ordinary record that ends at `end`. Throws with the system call where only the reserve is left. */
  require(fd: number, size: number, end: number): void {
    if (!this.#canAllocate || end <= this.#room) return;
    if (this.#extend(fd, size, end, step) === null) return;
    const failure = this.#extend(fd, size, end, 0);
    if (failure !== null && this.#isHeld) throw failure;
  }

  /** The file was cut, or opened anew: what it has behind its end is not known. */
  forget(): void {
    this.#room = 0;
  }

  /** Gives back what is behind the end of a file that is not written any more. */
  release(fd: number, size: number): void {
    if (this.#isHeld) ftruncateSync(fd, size);
    this.forget();
  }

  /**
   * Makes the next file of the log with its space, under another name. False: there is no room for it, so that the
   * file that is there goes on.
   */
  secureNext(directory: string): boolean {
    if (!this.#isHeld) return true;
    const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
    try {
      const fd = openSync(nextPath(directory), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
      try {
        return this.#allocate(fd, 0, reserve + step);
      } finally {
        closeSync(fd);
      }
    } catch (failure) {
      if (isFull(failure)) return false;
      throw failure;
    }
  }

  /** The failure, for want of room; null: it has it. */
  #extend(fd: number, size: number, end: number, more: number): Error | null {
    try {
      this.#canAllocate = this.#allocate(fd, size, end - size + more + reserve);
    } catch (failure) {
      if (isFull(failure) && failure instanceof Error) return failure;
      throw failure;
    }
    this.#isHeld = this.#canAllocate;
    this.#room = end + more;
    return null;
  }
}

/** Gives a file that is not there yet the space that was secured for it, where that was done. */
export function takeSecured(path: string): void {
  const secured = nextPath(dirname(path));
  const isThere = (name: string): boolean =>
    lstatSync(name, { throwIfNoEntry: false }) !== undefined;
  if (isThere(secured) && !isThere(path)) renameSync(secured, path);
}

function nextPath(directory: string): string {
  return join(directory, 'next');
}
