/**
 * What became of the connection. `unreachable`: no agent answers at the socket. `lost`: the connection
 * ended while the call was in flight, or the client was closed. `timeout`: the call's deadline passed.
 * `protocol`: the other end sent what no agent sends. `untrusted`: a secret was not sent, since who listens is neither
 * root, nor this user, nor the user that the agent is said to run as.
 */
export type ConnectionFailure = 'unreachable' | 'lost' | 'timeout' | 'protocol' | 'untrusted';

/** A failure of the way to the agent; what the agent itself refuses is an AgentError. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly reason: ConnectionFailure;

  constructor(reason: ConnectionFailure, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}
