/** The result of `reload`. What could not be read stays as it was loaded before. */
export interface Reloaded {
  /** Parts that are as in their files now: `access`, `log`, `api_keys`. */
  readonly reloaded: readonly string[];
  readonly kept: readonly KeptPart[];
}

/** A part of the configuration that is as it was loaded before. */
export interface KeptPart {
  readonly part: string;
  readonly reason: string;
  /** True: it could not be read. False: it was changed, and counts after a restart. */
  readonly failed: boolean;
}
