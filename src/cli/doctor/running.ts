import type { Libc } from '../../native/libc.ts';
import { lockHolder } from '../../state/lock.ts';
import { lookedAt, ok, type Finding } from './finding.ts';

/** The agent that holds a state dir. */
export interface RunningAgent {
  readonly running: boolean;
  /** null where none runs, or where it could not be read. */
  readonly pid: number | null;
}

export function checkRunning(
  stateDir: string,
  libc: Libc,
): { readonly finding: Finding; readonly agent: RunningAgent } {
  let agent: RunningAgent = { running: false, pid: null };
  const finding = lookedAt('agent', () => {
    const { held, pid } = lockHolder(stateDir, libc);
    agent = { running: held, pid };
    if (!held) return ok('agent', `none runs on ${stateDir}`);
    return ok('agent', `process ${pid ?? 'of unknown pid'} runs on ${stateDir}`);
  });
  return { finding, agent };
}
