export interface Seen {
  readonly load: number | null;
  /** Processors. */
  readonly others: number;
  readonly busiest: readonly {
    readonly name: string;
    readonly pid: number;
    readonly used: number;
  }[];
  /** A part of 1. */
  readonly steal: number;
  readonly governors: readonly string[];
}

export function warningsOf(seen: Seen): readonly string[];
/** In seconds. */
export function parseProcessors(text: string): {
  readonly busy: number;
  readonly steal: number;
  readonly all: number;
};
