import type { Settings, SocketFileSettings } from '../config/settings.ts';
import { connectionService } from './connection-service.ts';
import { AgentError } from '../base/errors.ts';
import type { RequestContext } from '../request/handle.ts';
import type { Libc } from '../native/libc.ts';
import { jsonRpc } from './json-rpc/json-rpc.ts';
import type { AgentStatus } from '../api/status.ts';
import { ConnectionCounts } from './socket/connection-counts.ts';
import { socketLimits } from './socket/limits.ts';
import { lines } from './json-rpc/line-framing.ts';
import { listen, type Listener } from './socket/listener.ts';
import { listenForSsh } from './ssh-listener.ts';

/** Group ids of the socket files; null leaves the process's own. */
export interface SocketGroups {
  readonly own: number | null;
  readonly ssh: number | null;
}

/** What the agent answers on. */
export interface Sockets {
  readonly status: Pick<AgentStatus, 'connections' | 'ssh_agent'>;
  /** Listener.drain of every one. */
  drain(ms: number): Promise<void>;
}

/** Before they are open. */
export const noSockets: Pick<Sockets, 'status'> = {
  status: { connections: { open: 0, accepted: 0 }, ssh_agent: null },
};

export interface SocketsParts {
  readonly settings: Settings;
  readonly groups: SocketGroups;
  readonly context: RequestContext;
  readonly libc: Libc;
}

/** Throws `not_found` for a group that there is not. */
export function socketGroups({ socket, sshAgent }: Settings, libc: Libc): SocketGroups {
  return {
    own: groupOf('socket', socket, libc),
    ssh: sshAgent === null ? null : groupOf('ssh_agent', sshAgent, libc),
  };
}

/** Opens the agent's own socket and, where it is configured, that of the SSH agent. Throws as `listen` does. */
export async function openSockets(parts: SocketsParts): Promise<Sockets> {
  const { settings, groups, context, libc } = parts;
  const { log } = context.world;
  const limits = socketLimits(settings.socket);
  const counts = new ConnectionCounts();
  const { sshAgent } = settings;
  const ssh =
    sshAgent === null
      ? null
      : await listenForSsh({
          ...{ settings: sshAgent, group: groups.ssh },
          ...{ limits, counts, context, libc },
        });
  try {
    const { path, mode } = settings.socket;
    const own = await listen({
      ...{ path, mode, group: groups.own },
      framing: lines,
      ...{ limits, counts, libc, log },
      accept: (peer) => connectionService(peer, context, libc, jsonRpc),
    });
    return {
      get status() {
        const ssh_agent = ssh === null ? null : { path: sshAgent?.path ?? '', ...countsOf(ssh) };
        return { connections: countsOf(own), ssh_agent };
      },
      async drain(ms) {
        await Promise.all([own.drain(ms), ssh?.drain(ms)]);
      },
    };
  } catch (failure) {
    ssh?.close();
    throw failure;
  }
}

function countsOf({ open, accepted }: Listener): { open: number; accepted: number } {
  return { open, accepted };
}

function groupOf(table: string, { group }: SocketFileSettings, libc: Libc): number | null {
  if (group === null) return null;
  const gid = libc.groupId(group);
  if (gid === null) {
    throw new AgentError('not_found', `${table}.group: there is no group ${group} here`);
  }
  return gid;
}
