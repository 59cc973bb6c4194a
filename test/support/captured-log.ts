import { pino, type Logger } from 'pino';

/** A logger whose lines can be looked at. */
export function capturedLog(): { log: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const stream = {
    write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  return { log: pino({ level: 'debug' }, stream), lines };
}
