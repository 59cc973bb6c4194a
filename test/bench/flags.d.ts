export interface BenchFlags {
  readonly json: boolean;
  readonly jsonFile: string | null;
  readonly compare: string | null;
  readonly rounds: number;
  readonly seconds: number;
  readonly signatures: number;
  readonly minutes: number;
  readonly only: readonly string[];
}

export function readFlags(
  args: readonly string[],
  parts: readonly string[],
  groups: Readonly<Record<string, readonly string[]>>,
): BenchFlags;
