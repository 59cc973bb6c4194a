import type { Logger } from 'pino';
import type { AgentLocks } from './locks.ts';
import type { NamedKeys } from './named-keys.ts';
import type { SessionBinds } from './session-binds.ts';
import type { SshReader } from '../../formats/ssh/wire.ts';

/** The SSH agent, over all its connections. */
export interface SshAgent {
  /** Whose keys it has, in this order. */
  readonly keyrings: readonly string[];
  readonly locks: AgentLocks;
  readonly log: Pick<Logger, 'debug'>;
}

/** A request of one connection: what stands behind its type, and the connection. */
export interface AgentCall {
  readonly body: SshReader;
  readonly agent: SshAgent;
  readonly keys: NamedKeys;
  readonly binds: SessionBinds;
}
