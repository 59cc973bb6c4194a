import { stat } from 'node:fs/promises';
import type { Terminal } from './terminal.ts';

export interface Progress {
  /** So many bytes more were read. */
  readonly advance: (bytes: number) => void;
  /** Takes the line away. */
  readonly end: () => void;
}

const silent: Progress = { advance: () => undefined, end: () => undefined };

/** Bytes; a shorter file is read before anybody looks. */
const longFile = 256 * 1024 * 1024;

/** Says on stderr how far a long file was read, where that is a terminal and the size is known. */
export async function progressOf(
  path: string | undefined,
  { stderr }: Pick<Terminal, 'stderr'>,
): Promise<Progress> {
  if (path === undefined || path === '-' || stderr.isTTY !== true) return silent;
  const size = await sizeOf(path);
  if (size < longFile) return silent;
  let read = 0;
  let shown = -1;
  return {
    advance: (bytes) => {
      read += bytes;
      const percent = Math.min(100, Math.floor((100 * read) / size));
      if (percent > shown) stderr.write(`\r${percent}% read`);
      shown = percent;
    },
    end: () => {
      stderr.write('\r\u001b[K');
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0; // reading it says what is wrong
  }
}
