import { readlinkSync } from 'node:fs';

/**
 * The program that a process runs, from /proc; null where it may not be read (another user's, unless we are root) or
 * the process is gone. A statement of this moment: the process may become another program at any time.
 */
export function executableOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null;
  }
}
