import { join } from 'node:path';
import { authenticate } from './access/authenticate.ts';
import type { Settings } from './config/settings.ts';
import { configuredKeyrings } from './configured-keyring.ts';
import { AgentError } from './errors.ts';
import { handle, type Admission } from './handle.ts';
import type { Libc } from './native/libc.ts';
import { OpenKeyrings } from './open-keyrings.ts';
import type { Services } from './protocol/methods.ts';
import type { AgentStatus } from './protocol/status.ts';
import { formatTime } from './rfc3339.ts';
import { socketLimits } from './socket/limits.ts';
import { listen, type Listener } from './socket/listener.ts';
import { ensurePrivateDir } from './state/checked-dir.ts';
import { lockStateDir } from './state/lock.ts';
import type { HostLaunch } from './vault/host/module-hosts.ts';
import { version } from './version.ts';
import type { World } from './world.ts';

/**
 * Requests, and signatures, that were admitted and are not done yet, over all connections; beyond it the answer
 * is `overloaded`. A batch counts by its messages.
 */
const queueLimit = 16_384;
/** Who has no scope needs no long lines, and a thousand connections of his no long buffers. Bytes. */
const strangersFrame = 4096;
/** How long an admitted request may take to be answered once the agent stops, milliseconds. */
const drainTime = 5000;

export interface AgentOptions {
  readonly settings: Settings;
  readonly world: World;
  readonly libc: Libc;
  readonly pid: number;
  readonly uid: number;
  /** For systemd credentials. */
  readonly credentialsDir: string | null;
  /** How the child processes that load PKCS#11 modules are started. */
  readonly hosts: HostLaunch;
  /** Fewer than the default, in tests. */
  readonly queueLimit?: number;
}

/** A running agent. */
export interface Agent {
  readonly socketPath: string;
  status(): AgentStatus;
  /** Stops accepting, answers what was admitted (for at most 5 s), lets go of tokens and files. */
  stop(): Promise<void>;
}

/**
 * Configuration and world in, a running agent out: the one place that knows every part. When it resolves,
 * every keyring that is not locked has signed and verified a message and the socket accepts. Throws
 * AlreadyRunningError, KeyringError, or an AgentError for a state dir or socket that is not safe to use.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { settings, world, libc } = options;
  const group = socketGroup(settings, libc);
  ensurePrivateDir(settings.stateDir);
  ensurePrivateDir(join(settings.stateDir, 'keyrings'));
  const lock = lockStateDir(settings.stateDir, libc);
  const open = configuredKeyrings(world, options.hosts);
  const keyrings = new OpenKeyrings(settings.keyrings, open, world, options.credentialsDir);
  try {
    await keyrings.open();
    return await serve(options, group, keyrings, () => {
      lock.release();
    });
  } catch (failure) {
    await keyrings.close();
    lock.release();
    throw failure;
  }
}

async function serve(
  options: AgentOptions,
  group: number | null,
  keyrings: OpenKeyrings,
  releaseLock: () => void,
): Promise<Agent> {
  const { settings, world, libc } = options;
  const counters = { requests: 0, errors: 0, signatures: 0 };
  const admission = admit(options.queueLimit ?? queueLimit, counters);
  const startedAt = formatTime(world.now());
  const connections: { listener?: Listener } = {};
  const status = (): AgentStatus => ({
    agent: { version: version(), pid: options.pid, started_at: startedAt },
    keyrings: keyrings.status(),
    connections: {
      open: connections.listener?.open ?? 0,
      accepted: connections.listener?.accepted ?? 0,
    },
    counters: { ...counters },
  });
  const services: Services = {
    keyring: (name) => keyrings.get(name),
    status,
    unlock: (name, pin, again) => keyrings.unlock(name, pin, again),
    lock: (name) => keyrings.lock(name),
    signing: signatureQueue(options.queueLimit ?? queueLimit, counters),
  };
  const context = { services, admission, world };
  const listener = await listen({
    path: settings.socket.path,
    mode: settings.socket.mode,
    group,
    limits: socketLimits(settings.socket),
    libc,
    log: world.log,
    accept: (peer) => {
      const caller = authenticate(peer, options.uid, libc.userName(peer.uid));
      return {
        answer: (frame) => handle(frame, caller, context),
        ...(caller.scope === 'none' ? { maxFrameBytes: strangersFrame } : {}),
      };
    },
  });
  connections.listener = listener;
  return {
    socketPath: settings.socket.path,
    status,
    stop: async () => {
      await listener.drain(drainTime);
      await keyrings.close();
      releaseLock();
    },
  };
}

function admit(limit: number, counters: { requests: number; errors: number }): Admission {
  let inside = 0;
  return {
    enter() {
      counters.requests += 1;
      if (inside >= limit) {
        counters.errors += 1;
        throw overloaded();
      }
      inside += 1;
    },
    leave(failed) {
      inside -= 1;
      if (failed) counters.errors += 1;
    },
  };
}

function signatureQueue(limit: number, counters: { signatures: number }): Services['signing'] {
  let inside = 0;
  return async (signatures, make) => {
    if (inside + signatures > limit) throw overloaded();
    inside += signatures;
    try {
      const made = await make();
      counters.signatures += signatures;
      return made;
    } finally {
      inside -= signatures;
    }
  };
}

function overloaded(): AgentError {
  return new AgentError('overloaded', 'too many requests wait already: try again later');
}

function socketGroup({ socket }: Settings, libc: Libc): number | null {
  if (socket.group === null) return null;
  const gid = libc.groupId(socket.group);
  if (gid === null) {
    throw new AgentError('not_found', `socket.group: there is no group ${socket.group} here`);
  }
  return gid;
}
