import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errnoName } from '../base/errors.ts';
import type { FileContent } from '../base/files.ts';
import { identityOf } from './identity.ts';
import { fileFailure, refusal, requirePrivate, requireTrustedParent } from './ownership.ts';

/** Largest file that is read into memory, and so that is written: the records of some 150,000 keys. */
const maxBytes = 64 * 1024 * 1024;

/** `Files.read`. */
export function readChecked(path: string): FileContent | null {
  try {
    const fd = open(path);
    if (fd === null) return null;
    try {
      return readOpened(path, fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw fileFailure(path, 'read', error);
  }
}

/** Null where there is no such file. O_NONBLOCK: opening a FIFO must not wait for its writer. */
function open(path: string): number | null {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const errno = errnoName(error);
    if (errno === 'ENOENT') return null;
    if (errno === 'ELOOP') throw symbolicLink(path);
    // What open(2) says of a socket.
    if (errno === 'ENXIO') throw refusal(path, 'is not a regular file', error);
    throw error;
  }
}

function readOpened(path: string, fd: number): FileContent {
  const startedAt = Date.now();
  const inode = fstatSync(fd, { bigint: true });
  if (!inode.isFile()) throw refusal(path, 'is not a regular file');
  requirePrivate(path, { uid: Number(inode.uid), mode: Number(inode.mode) }, '600');
  requireTrustedParent(path);
  if (inode.size > BigInt(maxBytes)) throw tooLong(path);

  // One byte more than it has: a file that grows meanwhile is noticed.
  const buffer = Buffer.alloc(Number(inode.size) + 1);
  let length = 0;
  while (length < buffer.length) {
    const bytes = readSync(fd, buffer, length, buffer.length - length, null);
    if (bytes === 0) break;
    length += bytes;
  }
  if (length === buffer.length) throw refusal(path, 'grew while it was read: try again');
  const bytes = buffer.subarray(0, length);
  return {
    bytes,
    identity: identityOf(inode, bytes, startedAt),
    modifiedAt: Number(inode.mtimeNs) / 1e6,
  };
}

export function symbolicLink(path: string): Error {
  return refusal(path, 'is a symbolic link, which is not followed: name the file itself');
}

/** Throws `backend_unavailable` for so many bytes that nobody could read the file again. */
export function requireReadable(path: string, length: number): void {
  if (length <= maxBytes) return;
  throw refusal(
    path,
    `would be longer than ${maxBytes} bytes, the most that is read: it stays as it is`,
  );
}

function tooLong(path: string): Error {
  return refusal(path, `is longer than ${maxBytes} bytes`);
}
