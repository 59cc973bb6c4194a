import { createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { shareOfUser } from '../../access/principal.ts';
import type { Share } from '../../access/share.ts';
import type { PeerCredentials } from '../../native/peer-credentials.ts';
import { describeFailure, errnoName } from '../../base/errors.ts';
import type { Libc } from '../../native/libc.ts';
import { endAndLinger } from './closing.ts';
import { Connection } from './connection.ts';
import { LineBudget } from '../../base/line-budget.ts';
import { descriptor } from '../../native/descriptor.ts';
import type { FrameHandler } from './frame-handler.ts';
import type { SharedParts } from './connection-options.ts';
import type { Framing } from './framing.ts';
import type { SocketLimits } from './limits.ts';
import { bindSocketFile, type SocketFileOptions } from './socket-file.ts';

/** Refused connections that are kept open for a moment so that the client gets to read why. */
const mostLingering = 64;
/** Connections that are kept free for root and the agent's user, or a tenth of all where that is less. */
const keptForOwn = 64;
/** Bytes that node reads of a socket that is paused, but for the rest of what libuv reads at once (64 KiB). */
const highWaterMark = 16 * 1024;
/** Lines of the log a minute about connections that come to nothing: anybody can make those. */
const mostLines = 10;
/** Of the time that a drain has: for telling clients what was not done in it. */
const lastWordsShare = 0.2;

export interface ListenerOptions<Answer> extends SocketFileOptions {
  readonly framing: Framing<Answer>;
  readonly limits: SocketLimits;
  readonly shared: SharedParts;
  readonly libc: Libc;
  readonly log: Logger;
  /** Called once a connection, with what the kernel says of the peer. */
  readonly accept: (peer: PeerCredentials) => FrameHandler<Answer>;
}

export interface Listener {
  /** Connections that are open, or closed with requests still in work. */
  readonly open: number;
  /** Connections accepted since the start, without those refused. */
  readonly accepted: number;
  /**
   * Takes no new clients, and resolves when every request that was in a socket has been answered, the answers were
   * sent and the connections are closed, or after `ms` milliseconds. Then closes what is left. In the last fifth of that
   * time no request in work is waited for any more: it is answered as `unfinished`.
   */
  drain(ms: number): Promise<void>;
  /** Closes everything at once; answers that are due are lost. */
  close(): void;
}

/** Throws as `bindSocketFile` does. The caller holds the lock of the state dir. */
export async function listen<Answer extends string | Buffer>(
  options: ListenerOptions<Answer>,
): Promise<Listener> {
  const { framing, limits, shared, libc, log, accept } = options;
  const { lanes } = shared;
  const connections = new Set<Connection<Answer>>();
  let accepted = 0;
  let lingering = 0;
  let emptied: (() => void) | null = null;
  let draining = false;
  const lines = new LineBudget(mostLines, () => performance.now());

  function admit(socket: Socket): void {
    // Until a Connection listens: a peer that is gone already must not end the process.
    socket.on('error', () => undefined);
    shared.scheduler.accepted();
    const peer = credentials(socket, libc, log, lines);
    if (peer === null) {
      socket.destroy();
      return;
    }
    const user = { kind: 'user', name: shareOfUser(peer.uid) } as const;
    if (lanes.total >= limits.maxConnections) {
      refuse(socket, peer, framing.tooManyConnections());
      return;
    }
    // Before more is found out about who it is.
    if (lanes.connectionsOf(user) >= limits.maxConnectionsPerUid) {
      refuse(socket, peer, framing.tooManyOfUser(limits));
      return;
    }
    const handler = handlerFor(peer);
    if (handler === null) {
      socket.destroy();
      return;
    }
    const fault = faultOf(handler.share);
    if (fault !== null) {
      handler.closed();
      refuse(socket, peer, fault);
      return;
    }
    accepted++;
    const connectionLog = log.child({ connection: accepted });
    const connection = new Connection({
      socket,
      limits,
      handler,
      framing,
      shared,
      log: connectionLog,
      unreadBytes: () => unreadBytes(socket, libc),
      hasHungUp: () => hasHungUp(socket, libc),
      noRoomFor,
      onDone() {
        handler.closed();
        connections.delete(connection);
        lanes.leave(connection.lane);
        connectionLog.debug('connection closed');
        if (connections.size === 0) emptied?.();
      },
    });
    connections.add(connection);
    connectionLog.debug({ uid: peer.uid, pid: peer.pid }, 'connection opened');
    if (draining) connection.drain();
  }

  /** What a caller of that share is told in place of being accepted; null: it is accepted. */
  function faultOf(share: Share): Answer | null {
    const { maxConnections } = limits;
    const kept = share.kind === 'own' ? 0 : Math.min(keptForOwn, Math.floor(maxConnections / 10));
    if (lanes.total >= maxConnections - kept) return framing.tooManyConnections();
    return noRoomFor(share);
  }

  /** Likewise, of that share alone. */
  function noRoomFor(share: Share): Answer | null {
    const { maxConnectionsPerUid, maxConnectionsWithoutScope } = limits;
    const open = lanes.connectionsOf(share);
    if (share.kind === 'stranger') {
      return open < maxConnectionsWithoutScope ? null : framing.tooManyWithoutScope(limits);
    }
    return open < maxConnectionsPerUid ? null : framing.tooManyOfUser(limits);
  }

  /** null where it cannot be said who calls: with no file descriptor left, even the account database fails. */
  function handlerFor(peer: PeerCredentials): FrameHandler<Answer> | null {
    try {
      return accept(peer);
    } catch (error) {
      lines.take((leftOut) => {
        log.warn(
          { reason: describeFailure(error), ...leftOut },
          'a connection could not be accepted',
        );
      });
      return null;
    }
  }

  function refuse(socket: Socket, { uid, pid }: PeerCredentials, why: Answer): void {
    log.debug({ uid, pid, open: lanes.total }, 'connection refused: too many');
    const lastWords = framing.written([why]);
    if (lingering >= mostLingering) {
      socket.end(lastWords, () => socket.destroy());
      return;
    }
    lingering++;
    socket.once('close', () => lingering--);
    endAndLinger(socket, lastWords);
  }

  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, highWaterMark }, admit);
  const file = await bindSocketFile(server, options);
  // accept(2) failing (EMFILE) is one client's misfortune, not the end.
  server.on('error', (error) => {
    lines.take((leftOut) => {
      log.warn({ errno: errnoName(error), ...leftOut }, 'a connection could not be accepted');
    });
  });

  let hasFile = true;
  function removeFile(): void {
    if (hasFile) file.remove();
    hasFile = false;
  }

  function close(): void {
    removeFile();
    server.close();
    for (const connection of connections) connection.destroy();
  }

  /** With the file gone nobody connects any more; who did before is accepted, a connection a turn. */
  async function acceptWaiting(until: number): Promise<void> {
    for (let fd = descriptor(server); fd !== null; fd = descriptor(server)) {
      if (performance.now() >= until || !libc.hasConnectionWaiting(fd)) return;
      await nextTurn();
    }
  }

  /** Resolves with the last connection's end, or after that time. */
  async function emptyWithin(ms: number): Promise<void> {
    const timeUp = new AbortController();
    const empty = new Promise<void>((resolve) => {
      emptied = resolve;
      if (connections.size === 0) resolve();
    });
    const time = sleep(ms, undefined, { signal: timeUp.signal }).catch(() => undefined);
    await Promise.race([empty, time]);
    timeUp.abort();
  }

  return {
    get open() {
      return connections.size;
    },
    get accepted() {
      return accepted;
    },
    async drain(ms) {
      const end = performance.now() + ms;
      removeFile();
      draining = true;
      for (const connection of connections) connection.drain();
      const lastWordsAt = end - ms * lastWordsShare;
      await acceptWaiting(lastWordsAt);
      server.close();
      await emptyWithin(lastWordsAt - performance.now());
      for (const connection of connections) connection.giveUp();
      await emptyWithin(end - performance.now());
      close();
    },
    close,
  };
}

/** 0 for one that is closed, or of which it cannot be said. */
function unreadBytes(socket: Socket, libc: Libc): number {
  const fd = descriptor(socket);
  if (fd === null) return 0;
  try {
    return libc.unreadBytes(fd);
  } catch {
    return 0;
  }
}

/** True also of one that is closed; false where it cannot be said. */
function hasHungUp(socket: Socket, libc: Libc): boolean {
  const fd = descriptor(socket);
  if (fd === null) return true;
  try {
    return libc.hasHungUp(fd);
  } catch {
    return false;
  }
}

/** Null where they cannot be had: such a connection is never served as somebody unknown. */
function credentials(
  socket: Socket,
  libc: Libc,
  log: Logger,
  lines: LineBudget,
): PeerCredentials | null {
  const fd = descriptor(socket);
  if (fd === null) {
    log.error('connection refused: this node does not tell the descriptor of a socket');
    return null;
  }
  try {
    return libc.peerCredentials(fd);
  } catch (error) {
    lines.take((leftOut) => {
      const reason = describeFailure(error);
      log.warn({ reason, ...leftOut }, 'connection refused: no peer credentials');
    });
    return null;
  }
}
