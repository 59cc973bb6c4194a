import type { Server, Socket } from 'node:net';

/** Node has no public way to it; `_handle` is null once the socket is closed. */
export function descriptor(socket: Socket | Server): number | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return null;
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : null;
}
