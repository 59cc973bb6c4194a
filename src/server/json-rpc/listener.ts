import type { ConnectionCount } from '../../api/status.ts';
import { processPeer, requestHandler } from '../listener/request-handler.ts';
import type { ListenerKind } from '../listener/listener-kind.ts';
import { socketGroup } from '../listener/socket-group.ts';
import { socketLimits } from '../socket/limits.ts';
import { listen } from '../socket/listener.ts';
import { jsonRpc } from './json-rpc.ts';
import { lines } from './line-framing.ts';

const table = 'socket';

/** The agent's own socket, which every agent has. */
export const jsonRpcListener: ListenerKind<ConnectionCount> = {
  table,
  settings: ({ socket }) => socket,
  socketFile: ({ socket }) => socket,
  closed: { open: 0, accepted: 0 },
  prepare({ socket }, accounts) {
    const group = socketGroup(table, socket, accounts);
    const { path, mode } = socket;
    const limits = socketLimits(socket);
    return {
      async open({ context, libc, shared }) {
        const listener = await listen({
          ...{ path, mode, group, limits, shared, libc },
          framing: lines,
          log: context.world.log,
          accept: (peer) => requestHandler(processPeer(peer, libc), context, jsonRpc),
        });
        return {
          get status() {
            const { open, accepted } = listener;
            return { open, accepted };
          },
          drain: (ms) => listener.drain(ms),
          close: () => {
            listener.close();
          },
        };
      },
    };
  },
};
