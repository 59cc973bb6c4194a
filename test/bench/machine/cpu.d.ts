export interface Times {
  /** Seconds. */
  readonly user: number;
  readonly system: number;
}

export function parseStat(
  text: string,
): Times & { readonly name: string; readonly parent: number; readonly waited: Times };

export function perSignature(
  before: readonly (readonly [string, Times])[],
  after: readonly (readonly [string, Times])[],
  signatures: number,
): Readonly<Record<string, { readonly total: number; readonly system: number }>>;
