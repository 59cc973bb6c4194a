// Processors: agent, host and load program have the same ones to themselves, as on a machine that has no others.
import { existsSync, readFileSync } from 'node:fs';
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
    const allowed = allowedProcessors(readFileSync('/proc/self/status', 'utf8'));
    const here = counts.filter((count) => count <= allowed.length);
    const series = Object.fromEntries(keyrings.map((keyring) => [keyring, {}]));
    for (const count of here) {
      stage.progress(`starting an agent on ${count} processor${count === 1 ? '' : 's'}`);
      const launcher = ['taskset', '--cpu-list', allowed.slice(0, count).join()];
      const token = await makeToken(join(stage.folder, `cores-token-${count}`));
      const agent = await configureAgent(join(stage.folder, `cores-${count}`), {
        keyrings: { file: onFile, softhsm: onToken(token) },
        ...{ token, launcher },
      }).start();
      const load = worker('load.js', launcher);
      for (const keyring of keyrings) {
        await stage.sign(agent, { keyring, ...warmUp }, load);
        series[keyring][count] = () =>
          stage.sign(agent, { keyring, connections: 8, depth: 16 }, load);
      }
    }
    return growthOf(series);
  },
  table: (figures) => growthTable('processors', figures),
};

/** Numbers of the processors that this process may use, of its status: `0-3,8`. */
function allowedProcessors(status) {
  const [, list] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status);
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}
