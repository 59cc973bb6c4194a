const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Ten years, in seconds: beyond it stands a slip of the finger. */
export const maxDurationSeconds = 3650 * 86_400;

/** Seconds for people, exact: `90s`, `24h`, `24h1m`, `7d`; days from two on. */
export function formatDuration(seconds: number): string {
  let rest = seconds;
  const parts: string[] = [];
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = secondsOf[unit] ?? 1;
    if (unit === 'd' && rest < 2 * size) continue;
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.join('') || '0s';
}

/** `90s`, `15m`, `24h`, `7d` in seconds; null for anything else and for more than ten years. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,10})([smhd])$/.exec(text);
  const seconds = Number(match?.[1]) * (secondsOf[match?.[2] ?? ''] ?? NaN);
  return seconds <= maxDurationSeconds ? seconds : null;
}
