// What a command takes from its start to its end, against a node that does nothing; and an agent's start.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken, program } from './agents.js';
import { measureWith } from './machine/processes.js';
import { medianOf, medianRatio } from './report/statistics.js';
import { fixed, row } from './report/table.js';

/** Of each command in a round; the first run of all warms the caches. */
const runs = 5;
const nothing = 'node -e 0';

export const processes = {
  async prepare(stage) {
    const { socket } = await stage.agent();
    const { timed } = await stage.programs();
    const message = join(stage.folder, 'message');
    writeFileSync(message, 'hello');
    const agentctl = program('agentctl');
    const commands = {
      [nothing]: ['-e', '0'],
      'agentctl sign': [agentctl, '--socket', socket, '--keyring', 'file', 'sign', message],
      'agentctl status': [agentctl, '--socket', socket, 'status'],
      'agentctl --help': [agentctl, '--help'],
    };
    const measure = (args, count) =>
      measureWith(timed, [String(count), process.execPath, ...args], { seconds: 60 });
    for (const args of Object.values(commands)) await measure(args, 1);
    return {
      contestants: Object.fromEntries(
        Object.entries(commands).map(([name, args]) => [name, () => measure(args, runs)]),
      ),
      figures: (results) =>
        Object.entries(results).map(([name, taken]) => ({
          name,
          median_ms: medianOf(taken, 'ms'),
          cpu_ms: medianOf(taken, 'cpuMs'),
          ratio_to_node: medianRatio(
            taken.map(({ ms }) => ms),
            results[nothing].map(({ ms }) => ms),
          ),
          cpu_ratio_to_node: medianRatio(
            taken.map(({ cpuMs }) => cpuMs),
            results[nothing].map(({ cpuMs }) => cpuMs),
          ),
        })),
    };
  },
  table: (figures) => [
    row('whole processes', 'ms', `of ${nothing}`, 'CPU ms', 'of its CPU'),
    ...figures.map(({ name, median_ms, ratio_to_node, cpu_ms, cpu_ratio_to_node }) =>
      row(
        `  ${name}`,
        fixed(median_ms, 1),
        fixed(ratio_to_node, 2),
        fixed(cpu_ms, 1),
        fixed(cpu_ratio_to_node, 2),
      ),
    ),
  ],
};

/** From the start of an agent, which has its keys already, to `ready`: with its children, and with Node's own start. */
export const start = {
  async prepare(stage) {
    const token = await makeToken(join(stage.folder, 'start-token'));
    const agents = {
      'file keyring': { keyring: onFile },
      'softhsm keyring': { keyring: onToken(token), token },
    };
    const contestants = {};
    for (const [index, [name, { keyring, ...rest }]] of Object.entries(agents).entries()) {
      const folder = join(stage.folder, `start-${index}`);
      const agent = configureAgent(folder, { keyrings: { default: keyring }, ...rest });
      const once = async () => {
        const { startMs, startCpuMs, stop } = await agent.start();
        await stop();
        return { startMs, startCpuMs };
      };
      await once(); // makes its key
      contestants[name] = once;
    }
    return {
      contestants,
      figures: (results) =>
        Object.entries(results).map(([name, taken]) => ({
          name,
          start_ms: medianOf(taken, 'startMs'),
          start_cpu_ms: medianOf(taken, 'startCpuMs'),
        })),
    };
  },
  table: (figures) => [
    row('start of an agent, to ready', 'ms', 'CPU ms'),
    ...figures.map(({ name, start_ms, start_cpu_ms }) =>
      row(`  ${name}`, fixed(start_ms, 0), fixed(start_cpu_ms, 0)),
    ),
  ],
};
