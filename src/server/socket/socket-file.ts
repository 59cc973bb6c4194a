import { randomBytes } from 'node:crypto';
import { chmodSync, lchownSync, lstatSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { AgentError, errnoName } from '../../base/errors.ts';
import { ensurePrivateDir } from '../../files/checked-dir.ts';
import { AlreadyRunningError } from '../../files/state-dir-lock.ts';
import { effectiveUid, fileFailure, lstatOrNull, refusal } from '../../files/ownership.ts';
import { requireTrustedParents } from '../../files/trusted-path.ts';

/** `sun_path` of struct sockaddr_un holds 108 bytes with the NUL (unix(7)). */
const longestPathBytes = 107;
/** More than the kernel's usual somaxconn: a burst of clients is queued, not refused with EAGAIN. */
const backlog = 4096;

export interface SocketFileOptions {
  readonly path: string;
  /** Permission bits, e.g. 0o660. */
  readonly mode: number;
  /** Group id the file gets; null leaves the process's own. */
  readonly group: number | null;
}

export interface SocketFile {
  /** Removes the file if it is still the one we made. */
  remove(): void;
}

/**
 * Lets `server` listen on `path`. Throws AlreadyRunningError where a living agent answers there, AgentError
 * where the path is not acceptable. A stale socket of ours is replaced.
 *
 * The socket is bound under a temporary name, with its final owner and mode, and renamed: clients never see it
 * with other rights, and libuv, which removes the name it bound whoever owns that by then, removes nothing.
 */
export async function bindSocketFile(
  server: Server,
  { path, mode, group }: SocketFileOptions,
): Promise<SocketFile> {
  requireShort(path);
  const directory = dirname(path);
  if (lstatOrNull(directory) === null) ensurePrivateDir(directory);
  requireTrustedParents(path);
  await requireFree(path);
  await removeAbandoned(path);

  const temporary = temporaryName(path);
  // With a group the file is open to nobody until it belongs to that group.
  listenWithMode(server, temporary, group === null ? mode : 0o600);
  try {
    await listening(server, path);
    if (group !== null) {
      lchownSync(temporary, effectiveUid(), group);
      chmodSync(temporary, mode);
    }
    const { ino, dev } = lstatSync(temporary);
    renameSync(temporary, path);
    return {
      remove() {
        const inode = lstatOrNull(path);
        if (inode?.ino === ino && inode.dev === dev) unlinkSync(path);
      },
    };
  } catch (error) {
    server.close();
    throw fileFailure(path, 'listen on', error);
  }
}

/** bind(2) happens within `listen`, so the umask is changed for that call alone. */
function listenWithMode(server: Server, path: string, mode: number): void {
  const previous = process.umask(0o777 & ~mode);
  try {
    server.listen({ path, backlog });
  } finally {
    process.umask(previous);
  }
}

async function listening(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (error) => {
      reject(fileFailure(path, 'listen on', error));
    });
  });
  server.removeAllListeners('error');
}

/** Beside the path and no longer than the limit, even where the path itself just fits. */
function temporaryName(path: string): string {
  const room = longestPathBytes - Buffer.byteLength(dirname(path)) - 1;
  const random = randomBytes(8).toString('hex');
  const full = `.${basename(path)}.${random}`;
  const name = Buffer.byteLength(full) <= room ? full : random.slice(0, room);
  return join(dirname(path), name);
}

function requireShort(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= longestPathBytes) return;
  throw new AgentError(
    'backend_unavailable',
    `the socket path has ${bytes} bytes and may have at most ${longestPathBytes}: ${path}`,
  );
}

async function requireFree(path: string): Promise<void> {
  const inode = lstatOrNull(path);
  if (inode === null) return;
  if (inode.isSymbolicLink()) throw refusal(path, 'is a symbolic link: remove it');
  if (!inode.isSocket()) throw refusal(path, 'is there and is not a socket: remove it');
  if (inode.uid !== effectiveUid()) {
    throw refusal(path, `is a socket of uid ${inode.uid}, not of ours: remove it`);
  }
  if (await answers(path)) {
    throw new AlreadyRunningError(`another agent is listening on ${path}: stop it first`, null);
  }
}

/** Older than any start that is still between making its socket and giving it the name, milliseconds. */
const abandonedAfter = 60_000;

/** Sockets that agents made and were killed before they gave them their name: ours, and nobody listens. */
async function removeAbandoned(path: string): Promise<void> {
  const prefix = `.${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(prefix) || !/^[0-9a-f]{16}$/.test(name.slice(prefix.length))) continue;
    const abandoned = join(dirname(path), name);
    const inode = lstatOrNull(abandoned);
    if (inode?.isSocket() !== true || inode.uid !== effectiveUid()) continue;
    if (Date.now() - inode.ctimeMs < abandonedAfter || (await answers(abandoned))) continue;
    unlinkSync(abandoned);
  }
}

/** Whether a process listens there; a full queue (EAGAIN) is a living one. */
async function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => {
      const errno = errnoName(error);
      if (errno === 'ECONNREFUSED' || errno === 'ENOENT') resolve(false);
      else if (errno === 'EAGAIN') resolve(true);
      else reject(fileFailure(path, 'connect to', error));
    });
  });
}
