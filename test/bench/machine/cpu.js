// CPU time of processes, as /proc has it (proc(5)).
import { readFileSync } from 'node:fs';
import { familyOf } from './family.js';

/** USER_HZ, the unit of these times: 100 on every processor that Node.js runs on. */
const ticksPerSecond = 100;

/** Of /proc/PID/stat. Times in seconds; `waited`: of children that have ended and were waited for. */
export function parseStat(text) {
  // The name before it may contain anything, parentheses too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [user, system, waitedUser, waitedSystem] = fields
    .slice(11, 15)
    .map((ticks) => Number(ticks) / ticksPerSecond);
  return {
    name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')),
    parent: Number(fields[1]),
    user,
    system,
    waited: { user: waitedUser, system: waitedSystem },
  };
}

/** Seconds of CPU of a process and of its descendants: {own, others}, each {user, system}. */
export function cpuOf(pid) {
  const [own, ...others] = familyOf(pid).flatMap((member) => {
    try {
      return [parseStat(readFileSync(`/proc/${member}/stat`, 'utf8'))];
    } catch {
      return []; // it has ended meanwhile
    }
  });
  if (own === undefined) throw new Error(`process ${pid} has ended`);
  return { own: timesOf(own), others: sum([own.waited, ...others.map(timesOf)]) };
}

/**
 * Starts to count. `processes`: name → pid, each with what descends from it; a name with `children` has those apart,
 * under that name, and its main thread, which does one thing at a time, under `main`. Answers a function that takes how many signatures were made and answers, by name, {total, system} in
 * microseconds a signature.
 */
export function meter(processes) {
  const read = () =>
    Object.entries(processes).flatMap(([name, { pid, children }]) => {
      const { own, others } = cpuOf(pid);
      if (children === undefined) return [[name, sum([own, others])]];
      return [
        [name, own],
        [children, others],
        ['main', timesOf(parseStat(readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8')))],
      ];
    });
  const before = read();
  return (signatures) => perSignature(before, read(), signatures);
}

/** Lists of [name, {user, system}] in seconds → by name {total, system} in microseconds. */
export function perSignature(before, after, signatures) {
  const microseconds = (seconds) => (seconds * 1e6) / signatures;
  return Object.fromEntries(
    after.map(([name, { user, system }], at) => {
      const [, earlier] = before[at];
      const inKernel = microseconds(system - earlier.system);
      return [name, { total: microseconds(user - earlier.user) + inKernel, system: inKernel }];
    }),
  );
}

const timesOf = ({ user, system }) => ({ user, system });

const sum = (times) => ({
  user: times.reduce((all, { user }) => all + user, 0),
  system: times.reduce((all, { system }) => all + system, 0),
});
