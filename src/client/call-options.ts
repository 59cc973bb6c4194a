/** What any call may be limited by. */
export interface CallOptions {
  /** Rejects the call with the signal's reason; what the agent answers later is dropped. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from the call to its deadline, above 0; Infinity for none. */
  readonly timeoutMs?: number | undefined;
}

/** For calls about one keyring. */
export interface KeyringCallOptions extends CallOptions {
  /** Where not given: the client's own. */
  readonly keyring?: string | undefined;
}

/** For calls that use one key; without `kid` the agent chooses, as each function says. */
export interface KeyCallOptions extends KeyringCallOptions {
  readonly kid?: string | undefined;
}
