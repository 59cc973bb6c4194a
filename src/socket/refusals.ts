import { AgentError } from '../errors.ts';
import { errorAnswer } from '../protocol/answer.ts';
import type { SocketLimits } from './limits.ts';

/** What the socket itself answers, before any request was read: always with `id: null`. */

export function tooLarge({ maxFrameBytes }: SocketLimits): string {
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

function refusal(
  kind: 'too_large' | 'invalid_request' | 'parse_error' | 'overloaded',
  message: string,
  details: Record<string, unknown> = {},
): string {
  return errorAnswer(null, new AgentError(kind, message, { details }));
}
