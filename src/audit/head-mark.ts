import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { hash } from 'node:crypto';
import { errnoName } from '../base/errors.ts';
import { fileFailure, refusal, requirePrivate } from '../files/ownership.ts';
import type { ChainHead } from './chain/chain.ts';

/** Longer than any mark: what stood there before is written over whole. */
const length = 128;
const sumLength = 16;

/**
 * How far the audit log goes, in a file beside its directory, so that a log which was cut off or moved away is missed
 * after a kill too. Written in place after each write of the log, and left to the kernel to bring to disk: after a
 * power cut it may be behind the log, and never ahead of it.
 */
export class HeadMark {
  readonly #path: string;
  readonly #stateId: string;
  #fd: number | null = null;

  /** `stateId`: of the state dir that the log is of; another one's mark says nothing. */
  constructor(path: string, stateId: string) {
    this.#path = path;
    this.#stateId = stateId;
  }

  /** Records up to this one are on disk. Throws AgentError where the file cannot be written. */
  note(head: ChainHead): void {
    try {
      this.#fd ??= openMark(this.#path);
      writeSync(this.#fd, markText(head, this.#stateId), 0, 'latin1');
    } catch (failure) {
      throw fileFailure(this.#path, 'write', failure);
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }
}

/**
 * What the mark says; null where there is none, and where what is there says nothing: a power cut may have left it
 * so, or it is another state dir's. Throws AgentError for a file that may not be trusted.
 */
export function readMark(path: string, stateId: string): ChainHead | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (failure) {
    if (errnoName(failure) === 'ENOENT') return null;
    throw fileFailure(path, 'read', failure);
  }
  try {
    requireOwn(path, fd);
    const bytes = Buffer.alloc(length);
    const read = readSync(fd, bytes, 0, length, 0);
    return markOf(bytes.toString('latin1', 0, read), stateId);
  } catch (failure) {
    throw fileFailure(path, 'read', failure);
  } finally {
    closeSync(fd);
  }
}

function openMark(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    requireOwn(path, fd);
    return fd;
  } catch (failure) {
    closeSync(fd);
    throw failure;
  }
}

function requireOwn(path: string, fd: number): void {
  const inode = fstatSync(fd);
  if (!inode.isFile()) throw refusal(path, 'is not a regular file: remove it');
  requirePrivate(path, inode, '600');
}

function markText({ seq, hash: line }: ChainHead, stateId: string): string {
  const text = `${seq} ${line}`;
  return `${text} ${sumOf(text, stateId)}`.padEnd(length - 1) + '\n';
}

function markOf(text: string, stateId: string): ChainHead | null {
  const [, said = '', seq = '', line = '', sum = ''] =
    /^((\d{1,15}) ([0-9a-f]{64})) ([0-9a-f]{16}) *\n/.exec(text) ?? [];
  return sum !== '' && sum === sumOf(said, stateId) ? { seq: Number(seq), hash: line } : null;
}

/** Tells a whole mark of this state dir from one that a power cut tore, and from another's. */
function sumOf(text: string, stateId: string): string {
  return hash('sha256', `${stateId} ${text}`, 'hex').slice(0, sumLength);
}
