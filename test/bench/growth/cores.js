// Processors: agent, host and load program have the same ones to themselves, as on a machine that has no others.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken } from '../agents.js';
import { worker } from '../machine/processes.js';
import { warmUp } from '../stage.js';
import { growthOf, growthTable } from './growth.js';

const counts = [1, 2, 4, 8, 16];
const keyrings = ['file', 'softhsm'];

export const cores = {
  async prepare(stage) {
    if (!existsSync('/usr/bin/taskset')) return { unavailable: 'taskset is not installed' };
    const here = counts.filter((count) => count <= availableParallelism());
    const series = Object.fromEntries(keyrings.map((keyring) => [keyring, {}]));
    for (const count of here) {
      stage.progress(`starting an agent on ${count} processor${count === 1 ? '' : 's'}`);
      const launcher = ['taskset', '--cpu-list', `0-${count - 1}`];
      const token = await makeToken(join(stage.folder, `cores-token-${count}`));
      const agent = await configureAgent(join(stage.folder, `cores-${count}`), {
        keyrings: { file: onFile, softhsm: onToken(token) },
        ...{ token, launcher },
      }).start();
      const load = worker('load.js', launcher);
      for (const keyring of keyrings) {
        await stage.sign(agent, { keyring, ...warmUp }, load);
        series[keyring][`${count} processors`] = () =>
          stage.sign(agent, { keyring, connections: 8, depth: 16 }, load);
      }
    }
    return growthOf(series);
  },
  table: (figures) => growthTable('processors', figures),
};
