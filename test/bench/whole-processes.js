// What a command takes from its start to its end, against a node that does nothing.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from './agents.js';
import { run } from './processes.js';
import { median, medianRatio } from './statistics.js';
import { fixed, row } from './table.js';

const runs = 14;
const nothing = 'node -e 0';

export const processes = {
  async prepare(stage) {
    const { socket } = await stage.agent();
    const message = join(stage.folder, 'message');
    writeFileSync(message, 'hello');
    const agentctl = program('agentctl');
    const commands = {
      [nothing]: ['-e', '0'],
      'agentctl sign': [agentctl, '--socket', socket, '--keyring', 'file', 'sign', message],
      'agentctl status': [agentctl, '--socket', socket, 'status'],
      'agentctl --help': [agentctl, '--help'],
    };
    return {
      contestants: {},
      async figures() {
        stage.progress('whole processes');
        const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
        for (let turn = 0; turn <= runs; turn += 1) {
          for (const [name, args] of Object.entries(commands)) {
            const started = performance.now();
            await run(process.execPath, args, { seconds: 30 });
            if (turn > 0) times[name].push(performance.now() - started); // the first warms the caches
          }
        }
        return Object.entries(times).map(([name, taken]) => ({
          name,
          median_ms: median(taken),
          ratio_to_node: medianRatio(taken, times[nothing]),
        }));
      },
    };
  },
  table: (figures) => [
    row('whole processes', 'ms', `of ${nothing}`),
    ...figures.map(({ name, median_ms, ratio_to_node }) =>
      row(`  ${name}`, fixed(median_ms, 1), fixed(ratio_to_node, 2)),
    ),
  ],
};
