export function median(values: readonly number[]): number;
export function medianRatio(above: readonly number[], below: readonly number[]): number;
