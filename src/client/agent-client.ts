import type { AgentCalls } from './agent-calls.ts';
import type { ApiKeyCalls } from './api-key-calls.ts';
import type { BackupCalls } from './backup-calls.ts';
import type { CallOptions } from './call-options.ts';
import type { ClientKeyCalls } from './client-key-calls.ts';
import type { ClusterCalls } from './cluster-calls.ts';
import type { JoinTokenCalls } from './join-token-calls.ts';
import type { FormatCalls } from './format-calls.ts';
import type { JwtCalls } from './jwt-calls.ts';
import type { KeyringCalls } from './keyring-calls.ts';
import type { ApiKeySource } from './secret.ts';

export interface ConnectOptions {
  /**
   * Path of the agent's socket. Where it is not given: `$SIGNING_AGENT_SOCK`, else
   * `$XDG_RUNTIME_DIR/signing-agent/agent.sock` (root: `/run/signing-agent/agent.sock`; no runtime dir:
   * `agent.sock` in the agent's state dir).
   */
  readonly socket?: string | undefined;
  /** Keyring of every call that names none; where neither does, the agent takes `default`. */
  readonly keyring?: string | undefined;
  /** Deadline of every call that sets none, in milliseconds; 10,000 where not given. */
  readonly timeoutMs?: number | undefined;
  /**
   * API key that every connection authenticates with, the ones made again too, before anything else is sent. Where
   * it is not accepted, connecting and calls reject with the agent's AgentError, and nothing else was sent.
   */
  readonly apiKey?: ApiKeySource | undefined;
  /**
   * Login name or uid of the agent's user; where not given, `$SIGNING_AGENT_USER`. API keys, PINs and key files are sent
   * to a listener of root, of this user or of that one, or where nobody but root and this user could have put the socket
   * there. To any other nothing secret is sent: the call rejects with a ConnectionError, `untrusted`.
   */
  readonly agentUser?: string | number | undefined;
}

/**
 * A connection to an agent, with one function a method of the wire: the method's name in camelCase (`discover` for
 * `rpc.discover`). Calls are pipelined: any number may be in flight, answers come in any order.
 *
 * Results have the wire's shapes and names, with bytes for messages and signatures; a result with one member is
 * answered as that member, unless it is a document of its own (a JWK Set). Public keys are base64url without padding,
 * times RFC 3339 in UTC, durations whole seconds.
 *
 * A lost connection is made again by the next call. Calls that were in flight and may be repeated are sent once more,
 * and an agent that restarts is waited for, 2 s at most and within their deadline: all that read, all that only make
 * a signature or a token, `backup` and `reload`. Every other call is sent once. Where its connection is lost, or its
 * deadline passes, its outcome is unknown, and the error names the method that shows it. `call` repeats the methods
 * that this version knows, likewise, and no others.
 *
 * Every function rejects
 * - with an {@link AgentError} for what the agent refuses. `kind` says why: what each function lists, and from any of
 *   them `unauthenticated`, `forbidden`, `rate_limited`, `too_large`, `overloaded`, `shutting_down` and `internal`. A
 *   kind newer than this library arrives as `internal` with `details.unknown_kind`. `overloaded` also where 64 MiB of
 *   calls already wait to be sent;
 * - with a {@link ConnectionError} for what befalls the connection;
 * - with the reason of `signal`, and with a RangeError for a `timeoutMs` that is not above 0.
 *
 * @example
 * import { AgentError, connect } from 'signing-agent-client';
 *
 * const agent = await connect({ keyring: 'ci' });
 * try {
 *   const { token } = await agent.jwtSign({ role: 'deploy' }, { ttlSeconds: 300 });
 *   const verdict = await agent.jwtVerify(token);
 *   console.log(verdict.valid ? verdict.claims : verdict.reason);
 *   await agent.rotate(3600);
 * } catch (error) {
 *   if (error instanceof AgentError && error.kind === 'locked') console.log('unlock it first');
 *   else throw error;
 * } finally {
 *   await agent.close();
 * }
 */
export interface AgentClient
  extends
    KeyringCalls,
    FormatCalls,
    JwtCalls,
    AgentCalls,
    ApiKeyCalls,
    ClientKeyCalls,
    BackupCalls,
    ClusterCalls,
    JoinTokenCalls {
  /**
   * Any method of the wire by its own name: `params` are sent and the result is answered as they are. An
   * `authenticate` that is sent this way is forgotten with its connection.
   *
   * @throws {AgentError} `method_not_found`, `invalid_params`, and what the method itself refuses.
   */
  call(
    method: string,
    params?: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<unknown>;
  /**
   * Ends the connection for good; calls in flight reject with a ConnectionError, `lost`. Until then the connection
   * keeps Node running. Never rejects.
   */
  close(): Promise<void>;
}
