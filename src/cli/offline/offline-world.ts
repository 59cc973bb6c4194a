import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLog } from '../../base/log.ts';
import type { Libc } from '../../native/libc.ts';
import { durableFiles } from '../../files/durable-files.ts';
import type { World } from '../../base/world.ts';
import type { Terminal } from '../shell/terminal.ts';

/** The world of a command that works on the agent's files itself: nothing happens in it but what the command does. */
export function offlineWorld({ now }: Pick<Terminal, 'now'>, libc: Libc): World {
  return {
    now,
    monotonicNow: () => performance.now(),
    schedule: () => () => undefined,
    pause: (milliseconds) => sleep(milliseconds),
    randomBytes,
    files: durableFiles(libc),
    log: openLog('silent'),
    testPoint: () => undefined,
  };
}
