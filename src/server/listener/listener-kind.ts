import type { Settings, SocketFileSettings } from '../../config/settings.ts';
import type { Libc } from '../../native/libc.ts';
import type { RequestContext } from '../../request/handle.ts';
import type { SharedParts } from '../socket/connection-options.ts';

/** One way to reach the agent: an entry of the table of listeners. `Status`: its part of `status`. */
export interface ListenerKind<Status> {
  /** Its table in the configuration. */
  readonly table: string;
  /** What it is configured with, as `reload` compares it; null: it is not configured. */
  readonly settings: (all: Settings) => object | null;
  /** The Unix socket that it is reached at; null: it is not configured, or has none. */
  readonly socketFile: (all: Settings) => SocketFileSettings | null;
  /** What `status` says while it is not open. */
  readonly closed: Status;
  /**
   * Resolves what its settings name on this machine, such as a group; opens nothing. null: it is not configured.
   * Throws `not_found` for a name that there is not.
   */
  readonly prepare: (all: Settings, libc: Libc) => PreparedListener<Status> | null;
}

export interface PreparedListener<Status> {
  /** Accepts callers from when it resolves. Rejects with an AgentError where that cannot be, and nothing is left open. */
  open(parts: ListenerParts): Promise<OpenListener<Status>>;
}

/** What every listener is given. */
interface ListenerParts {
  readonly context: RequestContext;
  readonly libc: Libc;
  readonly shared: SharedParts;
}

export interface OpenListener<Status> {
  readonly status: Status;
  /** Stops accepting; resolves when what was admitted is answered, after `ms` milliseconds at most. Then closes. */
  drain(ms: number): Promise<void>;
  /** Closes everything at once; answers that are due are lost. */
  close(): void;
}
