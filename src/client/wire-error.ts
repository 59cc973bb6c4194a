import { AgentError, errorCodes, type ErrorKind } from '../base/errors.ts';

/** The object that `value` is; null for anything else, arrays included. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/**
 * The `error` member of an answer as the AgentError that it was in the agent; null where it is no error
 * object. A kind that this version does not know, from a newer agent, becomes `internal` with the agent's
 * own message, and `details.unknown_kind` tells what it was.
 */
export function agentErrorOf(error: unknown): AgentError | null {
  const record = asRecord(error);
  const message = record?.['message'];
  if (record === null || typeof message !== 'string') return null;
  const { kind, ...details } = asRecord(record['data']) ?? {};
  const known = isKind(kind) ? kind : kind === undefined ? kindOf(record['code']) : undefined;
  if (known !== undefined) return new AgentError(known, message, { details });
  return new AgentError('internal', message, { details: { ...details, unknown_kind: kind } });
}

function isKind(kind: unknown): kind is ErrorKind {
  return typeof kind === 'string' && Object.hasOwn(errorCodes, kind);
}

/** For an error without `data.kind`, as plain JSON-RPC has them. */
function kindOf(code: unknown): ErrorKind | undefined {
  const kinds = Object.keys(errorCodes) as ErrorKind[];
  return kinds.find((kind) => errorCodes[kind] === code);
}
