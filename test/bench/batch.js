// `sign_batch` of 256 messages, against as many single requests.
import { contestTable, ratioOfCpu, timesOf } from './contest.js';
import { medianOf, medianRatio } from './report/statistics.js';

const size = 256;
const singles = { connections: 8, depth: 16 };
const batches = { connections: 8, depth: 1, batch: size };
const keyrings = ['file', 'softhsm'];

export const batch = {
  async prepare(stage) {
    const agent = await stage.agent();
    return {
      contestants: Object.fromEntries(
        keyrings.flatMap((keyring) => [
          [`${keyring}, single requests`, () => stage.sign(agent, { keyring, ...singles })],
          [`${keyring}, batches of ${size}`, () => stage.sign(agent, { keyring, ...batches })],
        ]),
      ),
      figures(results) {
        const perSecond = (name) => results[name].map((result) => result.perSecond);
        return {
          contestants: Object.keys(results).map((name) => {
            const reference = `${name.split(',')[0]}, single requests`;
            return {
              name,
              per_second: medianOf(results[name], 'perSecond'),
              ratio_to_single: medianRatio(perSecond(name), perSecond(reference)),
              ratio_by_cpu: ratioOfCpu(results, name, reference),
              ...timesOf(results[name]),
            };
          }),
        };
      },
    };
  },
  table: (figures) =>
    contestTable('sign_batch, 8 connections', figures, 'ratio_to_single', 'of single'),
};
