import { getSystemErrorName } from 'node:util';

/** A libc call that failed; shaped like node's own system errors, so that `errnoName` reads both. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  /** Name of the errno, e.g. `EBADF`. */
  readonly code: string;
  readonly syscall: string;

  /** `errno` is the positive number that libc left. */
  constructor(syscall: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${syscall} failed: ${code}`);
    this.code = code;
    this.syscall = syscall;
  }
}
