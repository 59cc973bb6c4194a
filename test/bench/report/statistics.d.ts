export function median(values: readonly number[]): number;
export function bestByCpu(
  loops: readonly { readonly cpuUs: number; readonly threads: number }[],
  processors: number,
): number;
export function medianRatio(above: readonly number[], below: readonly number[]): number;
