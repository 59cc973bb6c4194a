/**
 * Every failure that a caller can see, as a closed set (docs/protocol.md).
 * A backend's own codes are translated once, where that backend is called; `cause` keeps the original.
 */

/**
 * Error kind → JSON-RPC code, with what each kind means and whether repeating the call helps. The one place where the
 * two are tied together.
 */
export const errorCodes = {
  /** The request is not JSON. Repeating it does not help. */
  parse_error: -32700,
  /** JSON, and no request: no object, a notification, a batch. Repeating it does not help. */
  invalid_request: -32600,
  /** The agent has no such method; a newer one may. Repeating it does not help. */
  method_not_found: -32601,
  /** Params that do not fit; `details.issues` names each field. Repeating it does not help. */
  invalid_params: -32602,
  /**
   * A fault of the agent; its log has the cause under `details.error_id`. What was done is unknown. Repeating it may
   * help where the fault was a passing one: look first whether it was done.
   */
  internal: -32603,
  /**
   * The API key is wrong, expired, revoked, or not for this user or machine. Repeating it does not help, and
   * answers to wrong ones are held back.
   */
  unauthenticated: -32001,
  /**
   * The caller is known and may not do this; `details.needs` names the scope. Where the scope is enough and the purpose
   * is not, `details.purpose` names what is needed, and `details.purposes` those that there are. Repeating it does not
   * help.
   */
  forbidden: -32002,
  /**
   * No such key, or one that is revoked or whose grace is over. Repeating it does not help; without `kid` the active key
   * is taken.
   */
  unknown_kid: -32003,
  /**
   * The token or the file of the keyring cannot be used at the moment. Repeating it helps once that is over, not before
   * `details.retry_after_ms`.
   */
  backend_unavailable: -32004,
  /**
   * The keyring waits for its PIN, or the PIN was wrong. Repeating it helps after `unlock`; a wrong PIN is never to be
   * repeated, since tokens count them.
   */
  locked: -32005,
  /**
   * Somebody else changed the same thing at the same time, and nothing was done. Repeating it helps, unless what is
   * there now makes it pointless.
   */
  conflict: -32006,
  /** More signatures, connections or attempts than the API key or the user may have. Repeating it helps after `details.retry_after_ms`. */
  rate_limited: -32007,
  /** A frame, a message or a number of things is over a limit; `details.limit` says which. Repeating it does not help. */
  too_large: -32008,
  /** Any other named thing that is not there: a keyring, an API key, a domain. Repeating it does not help. */
  not_found: -32009,
  /** Something of that name or for that purpose is there already, and nothing was done. Repeating it does not help. */
  already_exists: -32010,
  /** Too many requests wait, in the agent or in the client, and this one was not begun. Repeating it helps, later. */
  overloaded: -32011,
  /** The agent is stopping and began nothing. Repeating it helps once an agent runs again. */
  shutting_down: -32012,
  /**
   * The audit record could not be written, and so nothing was changed and no signature has left. Repeating it helps once the
   * log can be written again.
   */
  audit_unavailable: -32013,
  /** This backend, key or configuration cannot do that. Repeating it does not help. */
  not_supported: -32014,
} as const;

/** What went wrong, as a closed set; `errorCodes` says of each what it means and whether repeating the call helps. */
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
    // Every caller that may try again is told when (docs/protocol.md).
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
