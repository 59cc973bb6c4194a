import { existsSync } from 'node:fs';
import type { AgentClient, ConnectOptions } from './agent-client.ts';
import { clientSocketPath } from '../base/default-paths.ts';
import { clientOver } from './client.ts';
import { Transport } from './transport.ts';

const defaultTimeoutMs = 10_000;

/**
 * Connects to the agent.
 *
 * @throws {ConnectionError} With an `apiKey`: `untrusted` where it is not sent, see `agentUser`. `unreachable` where nobody listens at the socket or it may not be opened, `timeout` where
 * the agent accepts no connection within `timeoutMs`.
 * @throws {AgentError} With an `apiKey`: `unauthenticated` where it is not accepted, `rate_limited` where it has too
 * many connections.
 * @throws {RangeError} For a `timeoutMs` that is not above 0.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { connect } from 'signing-agent-client';
 *
 * const agent = await connect({
 *   keyring: 'ci',
 *   apiKey: async () => (await readFile('build-farm.key', 'utf8')).trim(),
 * });
 * const { kid, signature } = await agent.sign(Buffer.from('hello'));
 * console.log(kid, signature.length);
 * await agent.close();
 */
export async function connect(options: ConnectOptions = {}): Promise<AgentClient> {
  const uid = process.getuid?.() ?? -1;
  const path = options.socket ?? clientSocketPath(process.env, uid, existsSync);
  const { timeoutMs = defaultTimeoutMs, apiKey = null } = options;
  const named = options.agentUser ?? process.env['SIGNING_AGENT_USER'] ?? '';
  const transport = new Transport(path, timeoutMs, apiKey, named === '' ? null : named);
  try {
    await transport.open({});
  } catch (error) {
    await transport.close();
    throw error;
  }
  return clientOver(transport, options.keyring);
}
