/** part → contestant → [round] → what was measured */
export type Results = Readonly<
  Record<string, Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>>
>;

export interface Compared {
  readonly name: string;
  readonly member: string;
  readonly before: number;
  readonly after: number;
  readonly ratio: number;
  readonly beyond: boolean | null;
}

export function compare(before: Results, after: Results): readonly Compared[];
export function compareLines(rows: readonly Compared[]): readonly string[];
