import { readlinkSync } from 'node:fs';

/** Bytes of a path: whoever calls chooses it, and it stands in records and in the log. */
const longest = 200;
const ellipsis = Buffer.from('…');

/**
 * The program that a process runs, from /proc, its first 200 bytes; null where it may not be read (another user's,
 * unless we are root) or the process is gone. A statement of this moment: the process may become another program at
 * any time.
 */
export function executableOf(pid: number): string | null {
  try {
    return cutPath(readlinkSync(`/proc/${pid}/exe`, 'buffer'));
  } catch {
    return null;
  }
}

/** A character that the cut goes through is left out. */
function cutPath(path: Buffer): string {
  if (path.length <= longest) return path.toString('utf8');
  return `${new TextDecoder().decode(path.subarray(0, longest - ellipsis.length), { stream: true })}${ellipsis.toString()}`;
}
