// A part that shows what grows with something, and what does not: a row for each size, compared with the first.
import { milliseconds, timesOf } from '../contest.js';
import { holdingsOf, residentOf } from '../machine/processes.js';
import { medianOf, medianRatio } from '../report/statistics.js';
import { cpuCells, cpuHeads, fixed, megabytes, row } from '../report/table.js';

/** Columns beside the CPU time: head, member of a figure, how it is printed. Those that no row has are left out. */
const columns = [
  ['sign/s', 'per_second', (value) => fixed(value, 0)],
  ['of first', 'ratio_to_first', (value) => fixed(value, 2)],
  ['of loop', 'ratio_to_loop', (value) => fixed(value, 2)],
  ['median ms', 'median_us', milliseconds],
  ['p99 ms', 'p99_us', milliseconds],
  ['start ms', 'start_ms', (value) => fixed(value, 0)],
  ['start CPU ms', 'start_cpu_ms', (value) => fixed(value, 0)],
  ['MB RSS', 'rss', megabytes],
  ['descriptors', 'descriptors', (value) => fixed(value, 0)],
];

/** What of a result is a figure: the name of the figure by the member of the result. */
const members = {
  perSecond: 'per_second',
  startMs: 'start_ms',
  startCpuMs: 'start_cpu_ms',
  rss: 'rss',
  descriptors: 'descriptors',
};

/**
 * What `prepare` of a part answers. `series`: name → {size → function}; a row is compared with the first of its series.
 * `loops`: name of the contestant → name of the one that does the same with nothing around it.
 */
export function growthOf(series, { others = {}, loops = {} } = {}) {
  const nameOf = (of, size) => `${of}, ${size}`;
  const contestants = Object.fromEntries(
    Object.entries(series).flatMap(([of, sizes]) =>
      Object.entries(sizes).map(([size, run]) => [nameOf(of, size), run]),
    ),
  );
  return {
    contestants: { ...others, ...contestants },
    figures(results) {
      const perSecond = (name) => results[name].map((result) => result.perSecond);
      return Object.entries(series).flatMap(([of, sizes]) => {
        const [first] = Object.keys(sizes);
        return Object.keys(sizes).map((size) => {
          const name = nameOf(of, size);
          return {
            name,
            ...figuresOf(results[name]),
            ratio_to_first: medianRatio(perSecond(name), perSecond(nameOf(of, first))),
            ...(loops[name] === undefined
              ? {}
              : { ratio_to_loop: medianRatio(perSecond(name), perSecond(loops[name])) }),
          };
        });
      });
    },
  };
}

function figuresOf(results) {
  return {
    ...Object.fromEntries(
      Object.entries(members)
        .filter(([member]) => results[0][member] !== undefined)
        .map(([member, name]) => [name, medianOf(results, member)]),
    ),
    ...timesOf(results),
  };
}

export function growthTable(title, figures) {
  const shown = columns.filter(([, member]) => figures.some((one) => one[member] !== undefined));
  return [
    row(title, ...shown.map(([head]) => head), ...cpuHeads),
    ...figures.map((one) =>
      row(
        `  ${one.name}`,
        ...shown.map(([, member, print]) => print(one[member])),
        ...cpuCells(one.cpu_us),
      ),
    ),
  ];
}

/** Memory and open files of an agent with its hosts, beside what was measured. */
export function withHoldings(agent, result) {
  const rss = residentOf(agent.pid).reduce((sum, member) => sum + member.rss, 0);
  return { ...result, rss, descriptors: holdingsOf(agent.pid).descriptors };
}
