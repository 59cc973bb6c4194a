import type { ListenersStatus } from '../api/status.ts';
import type { Settings } from '../config/settings.ts';
import type { Libc } from '../native/libc.ts';
import type { RequestContext } from '../request/handle.ts';
import { jsonRpcListener } from './json-rpc/listener.ts';
import type { ListenerKind, OpenListener, PreparedListener } from './listener/listener-kind.ts';
import { FrameScheduler } from './socket/frame-scheduler.ts';
import { Lanes } from './socket/lanes.ts';
import { LongFrames } from './socket/long-frames.ts';
import { sshAgentListener } from './ssh-agent/listener.ts';

type ListenerName = keyof ListenersStatus;

/** What the agent answers on: one entry a listener, by its member of `status`. */
export const listenerKinds: {
  readonly [Name in ListenerName]: ListenerKind<ListenersStatus[Name]>;
} = {
  connections: jsonRpcListener,
  ssh_agent: sshAgentListener,
};

const names = Object.keys(listenerKinds) as readonly ListenerName[];

/** The listeners of one agent: prepared, opened, drained and closed together. */
export class Listeners {
  readonly #libc: Libc;
  readonly #maxFrameBytes: number;
  readonly #prepared = new Map<ListenerName, PreparedListener<unknown>>();
  readonly #open = new Map<ListenerName, OpenListener<unknown>>();

  /** Opens nothing. Throws `not_found` for a name in the settings that there is not here. */
  constructor(settings: Settings, libc: Libc) {
    this.#libc = libc;
    this.#maxFrameBytes = settings.socket.maxFrameBytes;
    for (const name of names) {
      const prepared = listenerKinds[name].prepare(settings, libc);
      if (prepared !== null) this.#prepared.set(name, prepared);
    }
  }

  /** The part of `status` that each has; of one that is not open, what its entry says of that. */
  get status(): ListenersStatus {
    const parts = names.map((name) => [
      name,
      this.#open.get(name)?.status ?? listenerKinds[name].closed,
    ]);
    return Object.fromEntries(parts) as ListenersStatus;
  }

  /**
   * The first of the table, the agent's own socket, is opened last: whoever reaches it finds the others open. Rejects as
   * the one does that cannot be opened; those that were opened before are closed by then.
   */
  async open(context: RequestContext): Promise<void> {
    const shared = {
      lanes: new Lanes(),
      scheduler: new FrameScheduler(context.world.monotonicNow),
      longFrames: new LongFrames(this.#maxFrameBytes),
    };
    const parts = { context, libc: this.#libc, shared };
    try {
      for (const [name, prepared] of [...this.#prepared].reverse()) {
        this.#open.set(name, await prepared.open(parts));
      }
    } catch (failure) {
      for (const listener of this.#open.values()) listener.close();
      this.#open.clear();
      throw failure;
    }
  }

  /** Of every one: see OpenListener. */
  async drain(ms: number): Promise<void> {
    await Promise.all([...this.#open.values()].map((listener) => listener.drain(ms)));
  }
}
