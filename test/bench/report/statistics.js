export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median over rounds of one member of a contestant's results. */
export const medianOf = (results, member) => median(results.map((result) => result[member]));

/**
 * Signatures a microsecond of the best of {cpuUs, threads, deviceUs}: a loop uses no more processors than it has threads,
 * and a device that is emulated makes one signature at a time.
 */
export const bestByCpu = (loops, processors) =>
  Math.max(
    ...loops.map(({ cpuUs, threads, deviceUs = 0 }) =>
      Math.min(Math.min(threads, processors) / (cpuUs + deviceUs), 1 / deviceUs),
    ),
  );

/** Ratios are taken round by round, since what slows the machine slows a round; then their median. */
export const medianRatio = (above, below) =>
  median(above.map((value, round) => value / below[round]));
