import type { SshAgentSettings } from '../config/settings.ts';
import { connectionService } from './connection-service.ts';
import type { RequestContext } from '../request/handle.ts';
import type { Libc } from '../native/libc.ts';
import type { ConnectionCounts } from './socket/connection-counts.ts';
import type { SocketLimits } from './socket/limits.ts';
import { listen, type Listener } from './socket/listener.ts';
import { agentFraming } from './ssh-agent/framing.ts';
import { AgentLocks } from './ssh-agent/locks.ts';
import { longestMessage } from './ssh-agent/messages.ts';
import { agentProtocol } from './ssh-agent/protocol.ts';

export interface SshAgentParts {
  readonly settings: SshAgentSettings;
  /** Group id of the socket file; null leaves the process's own. */
  readonly group: number | null;
  /** Of the agent's own socket, whose connections count with these. */
  readonly limits: SocketLimits;
  readonly counts: ConnectionCounts;
  readonly context: RequestContext;
  readonly libc: Libc;
}

/** Opens the SSH agent's socket. Throws as `listen` does. */
export function listenForSsh(parts: SshAgentParts): Promise<Listener> {
  const { settings, group, limits, counts, context, libc } = parts;
  const { world } = context;
  const { log } = world;
  const agent = { keyrings: settings.keyrings, locks: new AgentLocks(world), log };
  return listen({
    path: settings.path,
    mode: settings.mode,
    group,
    framing: agentFraming,
    // One request at a time: answers come in the order of the requests, and what a request changes counts for the next.
    limits: { ...limits, maxFrameBytes: longestMessage, maxInFlightPerConnection: 1 },
    counts,
    libc,
    log,
    accept: (peer) => connectionService(peer, context, libc, agentProtocol(agent)),
  });
}
