// Signatures a second, against loops that sign with nothing around them.
import { worker } from './processes.js';
import { median, medianOf, medianRatio } from './statistics.js';
import { fixed, row } from './table.js';

const loads = [
  [1, 1],
  [1, 16],
  [8, 1],
  [8, 16],
];

/** A file keyring, and node:crypto. */
export const file = {
  async prepare(stage) {
    const loop = worker('crypto-loop.js');
    const loops = {
      'node:crypto, one thread': () => loop.order({ seconds: stage.seconds }),
    };
    return contest(loops, await ofAgent(stage, 'file'));
  },
  table: (figures) => table('file keyring', figures),
};

/** A keyring on SoftHSM, and the same token from C. */
export const softhsm = {
  async prepare(stage) {
    const loops = Object.fromEntries(
      [1, 2, 4, 8].map((threads) => [
        `PKCS#11 in C, ${threads} thread${threads === 1 ? '' : 's'}`,
        () => stage.direct(threads),
      ]),
    );
    return contest(loops, await ofAgent(stage, 'softhsm'));
  },
  table: (figures) => [
    ...table('softhsm keyring', figures),
    '  target: 8 connections, depth 16, at least 0.87 of the best loop',
  ],
};

async function ofAgent(stage, keyring) {
  const { socket } = await stage.agent();
  return Object.fromEntries(
    loads.map(([connections, depth]) => [
      `agent, ${connections} connection${connections === 1 ? '' : 's'}, depth ${depth}`,
      async () => {
        const order = { keyring, connections, depth, seconds: stage.seconds };
        const { perSecond, median: half, p99 } = await stage.sign(socket, order);
        return { perSecond, medianUs: half * 1000, p99Us: p99 * 1000 };
      },
    ]),
  );
}

function contest(loops, agents) {
  return {
    contestants: { ...loops, ...agents },
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
          ...('medianUs' in results[name][0]
            ? {
                median_us: medianOf(results[name], 'medianUs'),
                p99_us: medianOf(results[name], 'p99Us'),
              }
            : {}),
        })),
      };
    },
  };
}

function table(title, { contestants }) {
  const ms = (microseconds) => (microseconds === undefined ? '' : fixed(microseconds / 1000, 2));
  return [
    row(title, 'sign/s', 'of best', 'median ms', 'p99 ms'),
    ...contestants.map(({ name, per_second, ratio_to_best_loop, median_us, p99_us }) =>
      row(
        `  ${name}`,
        fixed(per_second, 0),
        fixed(ratio_to_best_loop, 2),
        ms(median_us),
        ms(p99_us),
      ),
    ),
  ];
}
