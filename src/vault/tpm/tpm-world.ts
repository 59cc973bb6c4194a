/** What the parts that talk to a TPM need of the world. */
export interface TpmWorld {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves that many milliseconds from now. */
  readonly pause: (milliseconds: number) => Promise<void>;
  readonly randomBytes: (size: number) => Buffer;
  readonly log: TpmLog;
  /** See World. */
  readonly testPoint: (step: string) => void;
}

/** What is shared by the keyrings of a TPM writes no log of one of them. */
export type DeviceWorld = Omit<TpmWorld, 'log'>;

/** pino's fits. */
interface TpmLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
