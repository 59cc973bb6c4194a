/** The wait before the nth attempt in a row (from 0), milliseconds: doubled each time, a fifth of it at random. */
export function backoff(
  attempt: number,
  { first, longest }: { readonly first: number; readonly longest: number },
  random: (size: number) => Buffer,
): number {
  const wait = Math.min(first * 2 ** Math.min(attempt, 30), longest);
  const share = (random(2).readUInt16BE(0) / 0xffff) * 0.4 + 0.8;
  return Math.round(wait * share);
}
