// What it costs to verify each signature of a token or a TPM before it leaves, on processors that do nothing else.
import { worker } from './machine/processes.js';
import { medianOf } from './report/statistics.js';
import { fixed, row } from './report/table.js';

const algorithms = ['ed25519', 'es256'];

export const verification = {
  async prepare(stage) {
    const loop = worker('verification-loop.js');
    const contestants = Object.fromEntries(
      algorithms.map((algorithm) => [
        algorithm,
        () => loop.order({ algorithm, seconds: stage.seconds }),
      ]),
    );
    return {
      contestants,
      figures: (results) =>
        algorithms.map((name) => ({
          name,
          per_second: medianOf(results[name], 'perSecond'),
          cpu_us: medianOf(results[name], 'cpuUs'),
        })),
    };
  },
  table: (figures) => [
    row('verified before it leaves', 'verify/s', 'CPU us'),
    ...figures.map(({ name, per_second, cpu_us }) =>
      row(`  ${name}, 16 at a time`, fixed(per_second, 0), fixed(cpu_us, 1)),
    ),
  ],
};
