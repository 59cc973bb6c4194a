import { lockHolder } from '../../../files/state-dir-lock.ts';
import { inspected, ok, type Finding } from '../../../base/finding.ts';

/** The agent that holds a state dir. */
export interface RunningAgent {
  /** null: it could not be found out. */
  readonly running: boolean | null;
  /** null where none runs, or where it could not be read. */
  readonly pid: number | null;
}

export function checkRunning(stateDir: string): {
  readonly finding: Finding;
  readonly agent: RunningAgent;
} {
  let agent: RunningAgent = { running: null, pid: null };
  const finding = inspected('agent', () => {
    const { held, pid } = lockHolder(stateDir);
    agent = { running: held, pid };
    if (!held) return ok('agent', `none runs on ${stateDir}`);
    return ok('agent', `process ${pid ?? 'of unknown pid'} runs on ${stateDir}`);
  });
  return { finding, agent };
}
