/**
 * Every failure that a caller can see, as a closed set (contract section 2).
 * A backend's own codes are translated once, where that backend is called; `cause` keeps the original.
 */

/** Error kind → JSON-RPC code. The one place where the two are tied together. */
export const errorCodes = {
  parse_error: -32700,
  invalid_request: -32600,
  method_not_found: -32601,
  invalid_params: -32602,
  internal: -32603,
  unauthenticated: -32001,
  forbidden: -32002,
  unknown_kid: -32003,
  backend_unavailable: -32004,
  locked: -32005,
  conflict: -32006,
  rate_limited: -32007,
  too_large: -32008,
  not_found: -32009,
  already_exists: -32010,
  overloaded: -32011,
  shutting_down: -32012,
  audit_unavailable: -32013,
  not_supported: -32014,
} as const;

export type ErrorKind = keyof typeof errorCodes;

/** Machine-readable details beside `kind`; only values that may leave the process. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** Where a backend does not know better, milliseconds. */
const retryAfterMs = 1000;

/**
 * A failure with a kind. `message` is for people: what happened and what to do about it.
 * Nothing secret may stand in `message` or `details`: both reach the caller and the log.
 */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly kind: ErrorKind;
  readonly details: ErrorDetails;

  constructor(
    kind: ErrorKind,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    const { details = {} } = options;
    // Every caller that may try again is told when (contract section 2).
    this.details =
      kind === 'backend_unavailable' ? { retry_after_ms: retryAfterMs, ...details } : details;
  }

  /** JSON-RPC error code of `kind`. */
  get code(): number {
    return errorCodes[this.kind];
  }
}

/** Message text of anything that was thrown. */
export function describeFailure(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The errno name (`ENOENT`, ...) where the failure came from a system call, else null. */
export function errnoName(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !('code' in thrown)) return null;
  return typeof thrown.code === 'string' ? thrown.code : null;
}

/** Foreign text as it may stand in a message: quoted, control characters escaped, cut to 80 characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
