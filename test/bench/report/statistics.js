export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median over rounds of one member of a contestant's results. */
export const medianOf = (results, member) => median(results.map((result) => result[member]));

/** Signatures a microsecond of the best of {cpuUs, threads}: a loop uses no more processors than it has threads. */
export const bestByCpu = (loops, processors) =>
  Math.max(...loops.map(({ cpuUs, threads }) => Math.min(threads, processors) / cpuUs));

/** Ratios are taken round by round, since what slows the machine slows a round; then their median. */
export const medianRatio = (above, below) =>
  median(above.map((value, round) => value / below[round]));
