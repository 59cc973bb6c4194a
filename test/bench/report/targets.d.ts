export interface Target {
  readonly name: string;
  readonly part: string;
  readonly sense: 'at least' | 'at most';
  readonly unit?: string;
  readonly wanted: number | ((figures: never, machine: Machine) => number);
  readonly reached: (figures: never) => number;
  readonly byCpu?: (figures: never) => number | undefined;
}

export interface Machine {
  readonly processors: number;
}

export interface Judged {
  readonly name: string;
  readonly part: string;
  readonly sense: 'at least' | 'at most';
  readonly unit: string;
  readonly wanted: number | null;
  readonly reached: number | null;
  /** A part of 1. */
  readonly short_by: number | null;
  readonly by_cpu: number | null;
}

export const targets: readonly Target[];
export function judge(
  figures: Readonly<Record<string, unknown>>,
  machine: Machine,
  list?: readonly Target[],
): readonly Judged[];
export function shortBy(reached: number, wanted: number, sense: Target['sense']): number;
export function targetLines(judged: readonly Judged[]): readonly string[];
