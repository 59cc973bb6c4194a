import type { AgentStatus } from '../../api/status.ts';
import { processPeer, requestHandler } from '../listener/request-handler.ts';
import type { ListenerKind } from '../listener/listener-kind.ts';
import { socketGroup } from '../listener/socket-group.ts';
import { socketLimits } from '../socket/limits.ts';
import { listen } from '../socket/listener.ts';
import { agentFraming } from './framing.ts';
import { AgentLocks } from './locks.ts';
import { longestMessage } from './messages.ts';
import { agentProtocol } from './protocol.ts';

const table = 'ssh_agent';

/** The socket of the SSH agent. Its connections count by the limits of the agent's own socket. */
export const sshAgentListener: ListenerKind<AgentStatus['ssh_agent']> = {
  table,
  settings: ({ sshAgent }) => sshAgent,
  socketFile: ({ sshAgent }) => sshAgent,
  closed: null,
  prepare({ sshAgent, socket }, accounts) {
    if (sshAgent === null) return null;
    const group = socketGroup(table, sshAgent, accounts);
    const { path, mode, keyrings } = sshAgent;
    // One request at a time: answers come in the order of the requests, and what a request changes counts for the next.
    const onePerTurn = { maxFrameBytes: longestMessage, maxInFlightPerConnection: 1 };
    const limits = { ...socketLimits(socket), ...onePerTurn };
    return {
      async open({ context, libc, shared }) {
        const { world } = context;
        const { log } = world;
        const agent = { keyrings, locks: new AgentLocks(world), log };
        const listener = await listen({
          ...{ path, mode, group, limits, shared, libc, log },
          framing: agentFraming,
          accept: (peer) => requestHandler(processPeer(peer, libc), context, agentProtocol(agent)),
        });
        return {
          get status() {
            const { open, accepted } = listener;
            return { path, open, accepted };
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
