import { destination, pino, stdTimeFunctions, type Logger } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/**
 * JSON lines on stderr, written before the call returns: what was logged before a crash can be read after it.
 * Payloads, PINs and keys are never passed to it.
 */
export function openLog(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    escapingStream(destination({ fd: 2, sync: true })),
  );
}

/**
 * What a terminal or a pager would obey and JSON leaves as it is: C1 controls, DEL, and the format characters that turn
 * the direction of writing or are not seen. Callers choose names that stand in the log.
 */
const obeyed = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Writes lines of JSON with those characters escaped, so that they still say the same. */
export function escapingStream(to: { write(line: string): unknown }): {
  write(line: string): void;
} {
  return {
    write(line) {
      to.write(line.replace(obeyed, escapeOf));
    },
  };
}

/** Those outside the basic plane are two escapes. */
function escapeOf(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');
}
