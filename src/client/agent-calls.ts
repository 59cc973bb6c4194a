import type { OpenRpcDocument } from '../api/discovery.ts';
import type { Principal } from '../api/principal.ts';
import type { Reloaded } from '../api/reload.ts';
import type { AgentStatus } from '../api/status.ts';
import type { CallOptions } from './call-options.ts';
import type { ApiKeySource } from './secret.ts';
import { recordOf, type Wire } from './wire.ts';

/** The agent itself, and who is calling. */
export interface AgentCalls {
  /**
   * Resolves when the agent has answered.
   *
   * @throws {AgentError} `unauthenticated` where the connection's API key is accepted no more.
   */
  ping(options?: CallOptions): Promise<void>;
  /**
   * Who the agent takes this connection for.
   *
   * @throws {AgentError} `unauthenticated` where the connection's API key is accepted no more.
   */
  whoami(options?: CallOptions): Promise<Principal>;
  /**
   * What the agent, its keyrings, its cluster and its audit log are doing.
   *
   * @throws {AgentError} `forbidden` below scope reader.
   */
  status(options?: CallOptions): Promise<AgentStatus>;
  /**
   * `rpc.discover`: every method of this agent with its params, its result and its errors, as an OpenRPC document.
   *
   * @throws {AgentError} `forbidden` below scope reader.
   */
  discover(options?: CallOptions): Promise<OpenRpcDocument>;
  /**
   * From its answer on, this connection and later ones have what the API key has. Where it is not accepted, they have
   * what they had. Never sent twice.
   *
   * @throws {AgentError} `unauthenticated` where it is not accepted; `rate_limited` where the key has too many
   * connections, or an attempt that failed is being answered; `audit_unavailable`.
   */
  authenticate(apiKey: ApiKeySource, options?: CallOptions): Promise<Principal>;
  /**
   * Reads `[access]`, `[log]` and the API keys again. What could not be read stays as it was, and is in the answer.
   *
   * @throws {AgentError} `audit_unavailable`.
   */
  reload(options?: CallOptions): Promise<Reloaded>;
}

export function agentCalls(wire: Wire): AgentCalls {
  return {
    ping: async (options = {}) => {
      await wire.ask('ping', {}, options);
    },
    whoami: async (options = {}) => (await wire.ask('whoami', {}, options)).principal,
    status: (options = {}) => wire.ask('status', {}, options),
    discover: (options = {}) => wire.ask('rpc.discover', {}, options),
    authenticate: async (apiKey, options = {}) => {
      const result = await wire.transport.authenticate(apiKey, options);
      return recordOf('authenticate', result).principal;
    },
    reload: (options = {}) => wire.ask('reload', {}, options),
  };
}
