import { readFileSync } from 'node:fs';
import type { Settings } from '../../../config/settings.ts';
import { failure, ok, warning, type Finding } from '../../../base/finding.ts';
import type { RunningAgent } from './running.ts';

/** Files that an agent has open beside its connections: logs, tokens, node's own. */
const ownFiles = 64;

/** Resource limits (getrlimit(2)) of the running agent; where none runs, of this process, which starts alike. */
export function checkLimits(
  { maxConnections }: Pick<Settings['socket'], 'maxConnections'>,
  { pid }: RunningAgent,
): readonly Finding[] {
  const limits = readLimits(pid);
  return [openFiles(limits, maxConnections, pid), coreDumps(limits, pid)];
}

function openFiles(limits: string, maxConnections: number, pid: number | null): Finding {
  // Node raises its soft limit to the hard one.
  const limit = limitOf(limits, 'Max open files', pid === null ? 'hard' : 'soft');
  const needed = maxConnections + ownFiles;
  const text = `at most ${limit} open files, and ${maxConnections} connections are allowed`;
  if (limit >= needed) return ok('open files', text);
  return warning(
    'open files',
    `${text}: raise the limit to ${needed} (systemd: LimitNOFILE=${needed}), or lower socket.max_connections`,
  );
}

function coreDumps(limits: string, pid: number | null): Finding {
  if (pid === null) return ok('core dumps', 'the agent turns them off when it starts');
  return limitOf(limits, 'Max core file size', 'soft') === 0
    ? ok('core dumps', 'the agent has turned them off')
    : failure('core dumps', `process ${pid} may write them, and its memory holds keys: restart it`);
}

/** Infinity for `unlimited`. */
function limitOf(limits: string, name: string, which: 'soft' | 'hard'): number {
  const match = new RegExp(`^${name} +(\\S+) +(\\S+)`, 'm').exec(limits);
  const value = match?.[which === 'soft' ? 1 : 2];
  return value === 'unlimited' ? Infinity : Number(value);
}

/** proc(5). Of an agent that ended meanwhile: our own. */
function readLimits(pid: number | null): string {
  try {
    return readFileSync(`/proc/${pid ?? 'self'}/limits`, 'utf8');
  } catch {
    return readFileSync('/proc/self/limits', 'utf8');
  }
}
