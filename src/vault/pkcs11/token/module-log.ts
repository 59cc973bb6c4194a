/** As much of a logger as the parts need that look after a module; pino's fits. */
export interface ModuleLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** What they need of the world. */
export interface ModuleWorld {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  readonly log: ModuleLog;
}
