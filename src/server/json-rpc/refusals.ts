import { AgentError } from '../../base/errors.ts';
import { errorAnswer } from './answer.ts';
import type { SocketLimits } from '../socket/limits.ts';

/** What the socket itself answers, before any request was read: always with `id: null`. */

/** Before it makes sense to connect again, milliseconds. */
const connectionRetry = 1000;

/** `maxFrameBytes`: of that connection. */
export function tooLarge(maxFrameBytes: number): string {
  return refusal('too_large', `a request line may have at most ${maxFrameBytes} bytes`, {
    limit: maxFrameBytes,
  });
}

export function tooSlow({ frameDeadlineMs }: SocketLimits): string {
  return refusal(
    'invalid_request',
    `a request line must be complete within ${frameDeadlineMs / 1000} s of its first byte`,
  );
}

export function noNewline(): string {
  return refusal('parse_error', 'the last line has no newline: it was not executed');
}

export function tooManyConnections(): string {
  return refusal('overloaded', 'too many connections: close some, or raise the limit in [socket]');
}

export function tooManyOfUser({ maxConnectionsPerUid }: SocketLimits): string {
  return refusal(
    'rate_limited',
    `a user may have ${maxConnectionsPerUid} connections: close some, or raise max_connections_per_uid`,
    { retry_after_ms: connectionRetry },
  );
}

export function tooManyWithoutScope({ maxConnectionsWithoutScope }: SocketLimits): string {
  return refusal(
    'rate_limited',
    `callers without a scope have ${maxConnectionsWithoutScope} connections together, and all are taken: try again, or ` +
      'have an admin give this user a scope in [access]',
    { retry_after_ms: connectionRetry },
  );
}

export function idle({ idleWithoutScopeMs }: SocketLimits): string {
  return refusal(
    'invalid_request',
    `a caller without a scope must ask something every ${idleWithoutScopeMs / 1000} s: connect again, and authenticate`,
  );
}

function refusal(
  kind: 'too_large' | 'invalid_request' | 'parse_error' | 'overloaded' | 'rate_limited',
  message: string,
  details: Record<string, unknown> = {},
): string {
  return errorAnswer(null, new AgentError(kind, message, { details }));
}
