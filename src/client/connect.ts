import type { AgentClient, ConnectOptions } from './agent-client.ts';
import { clientSocketPath } from '../base/default-paths.ts';
import { SocketClient } from './socket-client.ts';
import { Transport } from './transport.ts';

const defaultTimeoutMs = 10_000;

/**
 * Connects to the agent. Rejects with a ConnectionError: `unreachable` where nobody listens at the socket
 * or it may not be opened, `timeout` where the agent accepts no connection within `timeoutMs`. With an `apiKey`, with
 * an AgentError too: `unauthenticated` where it is not accepted, `rate_limited` where it has too many connections.
 */
export async function connect(options: ConnectOptions = {}): Promise<AgentClient> {
  const path = options.socket ?? clientSocketPath(process.env, process.getuid?.() ?? -1);
  const { timeoutMs = defaultTimeoutMs, apiKey = null } = options;
  const transport = new Transport(path, timeoutMs, apiKey);
  try {
    await transport.open({});
  } catch (error) {
    await transport.close();
    throw error;
  }
  return new SocketClient(transport, options.keyring);
}
