// An agent's signatures beside loops that sign with nothing around them.
import { bestByCpu, median, medianOf, medianRatio } from './report/statistics.js';
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

/**
 * What `prepare` of a part answers: the best of `loops` in each round is what all are compared with. `processors`: where
 * everything that works is among the processes whose CPU time is measured, how many they have.
 */
export function contest(loops, others, processors = null) {
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
          ...(processors === null || results[name][0].cpu === undefined
            ? {}
            : { ratio_by_cpu: ratioByCpu(results, Object.keys(loops), name, processors) }),
          ...timesOf(results[name]),
        })),
      };
    },
  };
}

/** As it would be with all of the processors busy and nothing else on them: of what a loop in as many threads reaches. */
function ratioByCpu(results, loops, name, processors) {
  return medianRatio(
    results[name].map(({ cpu }) => processors / cpuOfAll(cpu)),
    results[name].map((_, round) =>
      bestByCpu(
        loops.map((loop) => results[loop][round]),
        processors,
      ),
    ),
  );
}

/** What a contestant's rate would be of that of another one, with the same processors and nothing else on them. */
export function ratioOfCpu(results, name, reference) {
  const [own, others] = [name, reference].map((one) =>
    results[one].map(({ cpu }) => cpuOfAll(cpu)),
  );
  return medianRatio(others, own);
}

/** The main thread's is a part of the agent's. */
const cpuOfAll = (cpu) =>
  Object.entries(cpu)
    .filter(([process]) => process !== 'main')
    .reduce((sum, [, { total }]) => sum + total, 0);

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
  const byCpu = contestants.some(({ ratio_by_cpu }) => ratio_by_cpu !== undefined);
  return [
    row(title, 'sign/s', of, ...(byCpu ? ['by CPU'] : []), 'median ms', 'p99 ms', ...cpuHeads),
    ...contestants.map(({ name, per_second, median_us, p99_us, cpu_us, ...more }) =>
      row(
        `  ${name}`,
        fixed(per_second, 0),
        fixed(more[ratio], 2),
        ...(byCpu ? [fixed(more.ratio_by_cpu, 2)] : []),
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
