// Time: so many signatures one after the other by one agent, in slices, with both keyrings. What it has at the end is
// compared with what it had after the first slice.
import { cpuCells, cpuHeads, fixed, megabytes, row } from '../report/table.js';
import { holdingsOf, residentOf } from '../machine/processes.js';
import { timesOf } from '../contest.js';

const slices = 20;
const load = { connections: 8, depth: 16 };
/** Of a hundred signatures so many by the file keyring, which is the faster one. */
const shares = { file: 90, softhsm: 10 };

export const time = {
  async prepare(stage) {
    const agent = await stage.agent();
    return {
      contestants: {},
      async figures() {
        const until = performance.now() + stage.minutes * 60_000;
        const measured = [];
        for (let slice = 1; slice <= slices && performance.now() < until; slice += 1) {
          stage.progress(`slice ${slice} of ${slices}, of ${stage.signatures} signatures in all`);
          measured.push(await oneSlice(stage, agent, measured.at(-1)?.signatures ?? 0));
        }
        return { wanted: stage.signatures, slices: measured };
      },
    };
  },
  table: ({ wanted, slices: measured }) => {
    const made = measured.at(-1).signatures;
    return [
      row('time, after signatures', 'MB RSS', 'descriptors', 'threads', 'mappings', ...heads),
      ...measured.map((one) =>
        row(
          `  ${one.signatures}`,
          megabytes(one.rss),
          ...[one.descriptors, one.threads, one.mappings],
          ...Object.keys(shares).flatMap((keyring) => {
            const { median_us, p99_us, cpu_us } = one[keyring];
            return [fixed(median_us / 1000, 2), fixed(p99_us / 1000, 2), cpuCells(cpu_us)[0]];
          }),
        ),
      ),
      ...(made < wanted ? [`  ${made} of ${wanted}: the minutes were over (--minutes)`] : []),
    ];
  },
};

const heads = Object.keys(shares).flatMap((name) => [`${name} ms`, 'p99 ms', cpuHeads[0]]);

async function oneSlice(stage, agent, before) {
  const requests = Math.round(stage.signatures / slices);
  const by = {};
  for (const [keyring, share] of Object.entries(shares)) {
    const count = Math.round((requests * share) / 100);
    by[keyring] = await stage.sign(agent, { keyring, ...load, seconds: undefined, count });
  }
  const rss = residentOf(agent.pid).reduce((sum, member) => sum + member.rss, 0);
  const made = Object.values(by).reduce((sum, { signatures }) => sum + signatures, 0);
  const times = Object.entries(by).map(([keyring, result]) => [keyring, timesOf([result])]);
  return {
    ...{ signatures: before + made, rss },
    ...holdingsOf(agent.pid),
    ...Object.fromEntries(times),
  };
}
