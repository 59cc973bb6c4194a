// An agent's signatures beside loops that sign with nothing around them.
import { median, medianOf, medianRatio } from './report/statistics.js';
import { cpuCells, cpuHeads, fixed, row } from './report/table.js';

const allLoads = [
  [1, 1],
  [1, 16],
  [8, 1],
  [8, 16],
];

/** Contestants by name: an agent's keyring under these loads, each so many connections and requests in flight on each. */
export const loadsOf = (stage, agent, keyring, loads = allLoads) =>
  Object.fromEntries(
    loads.map(([connections, depth]) => [
      `agent, ${counted(connections, 'connection')}, depth ${depth}`,
      () => stage.sign(agent, { keyring, connections, depth }),
    ]),
  );

/** Contestants by name: direct.c with so many threads. */
export const threadsOf = (counts, run) =>
  Object.fromEntries(
    counts.map((threads) => [`PKCS#11 in C, ${counted(threads, 'thread')}`, () => run(threads)]),
  );

/** What `prepare` of a part answers: the best of `loops` in each round is what all are compared with. */
export function contest(loops, others) {
  return {
    contestants: { ...loops, ...others },
    figures(results) {
      const perSecond = (name) => results[name].map((result) => result.perSecond);
      const best = perSecond(Object.keys(loops)[0]).map((_, round) =>
        Math.max(...Object.keys(loops).map((name) => perSecond(name)[round])),
      );
      return {
        best_loop_per_second: median(best),
        contestants: Object.keys(results).map((name) => ({
          name,
          per_second: medianOf(results[name], 'perSecond'),
          ratio_to_best_loop: medianRatio(perSecond(name), best),
          ...timesOf(results[name]),
        })),
      };
    },
  };
}

/** Median and p99 in microseconds, and CPU time a signature, where they were measured. */
export function timesOf(results) {
  const [{ medianUs, cpu, cpuUs }] = results;
  return {
    ...(medianUs === undefined
      ? {}
      : { median_us: medianOf(results, 'medianUs'), p99_us: medianOf(results, 'p99Us') }),
    ...(cpuUs === undefined ? {} : { cpu_us: { loop: { total: medianOf(results, 'cpuUs') } } }),
    ...(cpu === undefined
      ? {}
      : {
          cpu_us: Object.fromEntries(
            Object.keys(cpu).map((process) => {
              const of = (member) => median(results.map((result) => result.cpu[process][member]));
              return [process, { total: of('total'), system: of('system') }];
            }),
          ),
        }),
  };
}

/** Rows with CPU microseconds a signature, user + system, by process. `ratio`: its member, `of`: its head. */
export function contestTable(title, { contestants }, ratio = 'ratio_to_best_loop', of = 'of best') {
  return [
    row(title, 'sign/s', of, 'median ms', 'p99 ms', ...cpuHeads),
    ...contestants.map(({ name, per_second, median_us, p99_us, cpu_us, ...more }) =>
      row(
        `  ${name}`,
        fixed(per_second, 0),
        fixed(more[ratio], 2),
        milliseconds(median_us),
        milliseconds(p99_us),
        ...cpuCells(cpu_us),
      ),
    ),
  ];
}

export const milliseconds = (microseconds) =>
  microseconds === undefined ? '' : fixed(microseconds / 1000, 2);

const counted = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;
