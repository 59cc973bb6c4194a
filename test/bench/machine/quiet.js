// Whether the machine does anything else: figures of a busy one are worth little.
import { readFileSync, readdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOf, parseStat } from './cpu.js';

const lookSeconds = 1;
const limits = { load: 0.5, others: 0.05, steal: 0.01 };

/**
 * What a look saw → sentences, none where the machine is quiet. `load`: of the last minute, null where it is our own;
 * `others`: processors that other processes used, `busiest` of them {name, pid, used}; `steal`: the part of the time that
 * the hypervisor gave away; `governors`: of the processors' frequency.
 */
export function warningsOf({ load, others, busiest, steal, governors }) {
  const warnings = [];
  if (load !== null && load > limits.load) {
    warnings.push(`the load average of the last minute is ${load.toFixed(2)}`);
  }
  if (others > limits.others) {
    const list = busiest.map(({ name, pid, used }) => `${name} (${pid}) ${used.toFixed(2)}`);
    const who = list.length === 0 ? '' : `: ${list.join(', ')}`;
    warnings.push(`other processes use ${others.toFixed(2)} of a processor${who}`);
  }
  if (steal > limits.steal) {
    warnings.push(`the hypervisor gives ${(steal * 100).toFixed(0)} % of the time to others`);
  }
  const slow = governors.filter((name) => name !== 'performance');
  if (slow.length > 0) {
    warnings.push(`the frequency of the processors changes (${[...new Set(slow)].join(', ')})`);
  }
  return warnings;
}

/** Of the text of /proc/stat: seconds that all processors were busy, that were stolen, and that there were. */
export function parseProcessors(text) {
  const [user, nice, system, idle, wait, interrupts, soft, steal] = text
    .split('\n')[0]
    .trim()
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) / 100);
  const busy = user + nice + system + interrupts + soft;
  return { busy, steal, all: busy + idle + wait + steal };
}

/** Looks for a second, in which nothing of ours runs. Answers warnings. */
export async function look() {
  const [before, processesBefore] = [read(), readProcesses()];
  await sleep(lookSeconds * 1000);
  const [after, processesAfter] = [read(), readProcesses()];
  const busiest = [...processesAfter]
    .map(([pid, { name, seconds }]) => {
      const earlier = processesBefore.get(pid)?.seconds ?? seconds;
      return { pid, name, used: (seconds - earlier) / lookSeconds };
    })
    .filter(({ used }) => used > 0.02)
    .sort((a, b) => b.used - a.used)
    .slice(0, 3);
  return warningsOf({ ...between(before, after), load: loadavg()[0], busiest });
}

/** Starts to watch; what it answers says at the end what others used meanwhile, as warnings. */
export function watch() {
  const before = read();
  return () => warningsOf({ ...between(before, read()), load: null, busiest: [], governors: [] });
}

function between(before, after) {
  const seconds = (after.at - before.at) / 1000;
  const all = after.all - before.all;
  return {
    others: Math.max(0, (after.busy - before.busy - (after.own - before.own)) / seconds),
    steal: all > 0 ? (after.steal - before.steal) / all : 0,
    governors: governors(),
  };
}

/** `own`: seconds of this process, of what it has started and of what has ended of that. */
function read() {
  const { own, others } = cpuOf(process.pid);
  return {
    at: performance.now(),
    ...parseProcessors(readFileSync('/proc/stat', 'utf8')),
    own: own.user + own.system + others.user + others.system,
  };
}

function readProcesses() {
  const found = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      const { name, user, system } = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
      found.set(Number(pid), { name, seconds: user + system });
    } catch {
      // it has ended meanwhile
    }
  }
  return found;
}

/** Of each processor; none where the machine does not tell, as virtual ones do not. */
function governors() {
  const folder = '/sys/devices/system/cpu/cpufreq';
  try {
    return readdirSync(folder).map((policy) =>
      readFileSync(`${folder}/${policy}/scaling_governor`, 'utf8').trim(),
    );
  } catch {
    return [];
  }
}
