/** What one client may take of the agent (docs/protocol.md). */
export interface SocketLimits {
  /** Longest request line, bytes without the newline. */
  readonly maxFrameBytes: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerUid: number;
  /** Requests of one connection that were handed on and not answered yet; beyond it nothing more is read. */
  readonly maxInFlightPerConnection: number;
  /** Bytes of those requests; exceeded by one frame at most. */
  readonly maxInFlightBytesPerConnection: number;
  /** From a frame's first byte to its newline, milliseconds. */
  readonly frameDeadlineMs: number;
  /** Of callers without a scope, together. */
  readonly maxConnectionsWithoutScope: number;
  /** They are closed after so long without a request, milliseconds. */
  readonly idleWithoutScopeMs: number;
  /** Bytes of answers that a client has not taken; beyond it no request of it is begun. */
  readonly maxUnsentBytesPerConnection: number;
  /** A client that takes nothing of them for so long is closed, milliseconds. */
  readonly unsentDeadlineMs: number;
}

const mebibyte = 1024 * 1024;

/** The limits that are not configured, with those that are. */
export function socketLimits(
  configured: Pick<SocketLimits, 'maxFrameBytes' | 'maxConnections' | 'maxConnectionsPerUid'>,
): SocketLimits {
  return {
    ...configured,
    maxInFlightPerConnection: 1024,
    maxInFlightBytesPerConnection: Math.max(8 * mebibyte, configured.maxFrameBytes),
    frameDeadlineMs: 30_000,
    maxConnectionsWithoutScope: Math.min(128, configured.maxConnectionsPerUid),
    idleWithoutScopeMs: 60_000,
    maxUnsentBytesPerConnection: mebibyte,
    unsentDeadlineMs: 30_000,
  };
}
