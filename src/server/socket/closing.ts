import type { Socket } from 'node:net';

/** How long a peer may keep sending after it got our last word. */
const lingerMs = 500;
/** How long it may leave that last word unread. */
const unreadMs = 5000;
/** What is thrown away of its input meanwhile. */
const mostDiscardedBytes = 32 * 1024 * 1024;

/**
 * Sends `lastWords` and closes a socket whose peer may still be sending. What it sends is read and thrown away
 * for a bounded time: closing with input unread makes the kernel reset the connection (unix(7): ECONNRESET,
 * EPIPE), and a peer that fails in its write never reads why.
 */
export function endAndLinger(socket: Socket, lastWords: string | Buffer): void {
  let discarded = 0;
  socket.removeAllListeners('data');
  socket.on('data', (chunk) => {
    discarded += chunk.length;
    if (discarded > mostDiscardedBytes) socket.destroy();
  });
  socket.resume();

  let timer = setTimeout(() => socket.destroy(), unreadMs);
  socket.once('close', () => {
    clearTimeout(timer);
  });
  socket.end(lastWords, () => {
    clearTimeout(timer);
    if (!socket.destroyed) timer = setTimeout(() => socket.destroy(), lingerMs);
  });
}
