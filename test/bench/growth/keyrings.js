// Many keyrings in one agent, signed with in turn.
import { join } from 'node:path';
import { configureAgent, onFile } from '../agents.js';
import { warmUp } from '../stage.js';
import { growthOf, growthTable, withHoldings } from './growth.js';

const counts = [1, 10, 100, 500];
/** As many connections as it takes to use them all. */
const load = { connections: 500, depth: 1 };

export const keyrings = {
  async prepare(stage) {
    const entries = [];
    for (const count of counts) {
      stage.progress(`making ${count} keyring${count === 1 ? '' : 's'}`);
      const names = Array.from({ length: count }, (_, at) => `ring-${at}`);
      const configured = configureAgent(join(stage.folder, `keyrings-${count}`), {
        keyrings: Object.fromEntries(names.map((name) => [name, onFile])),
      });
      const { stop } = await configured.start();
      await stop();
      entries.push([count, () => startAndSign(stage, configured, names)]);
    }
    return growthOf({ file: Object.fromEntries(entries) });
  },
  table: (figures) => growthTable('keyrings, 500 connections', figures),
};

async function startAndSign(stage, configured, names) {
  const { startMs, startCpuMs, stop, ...agent } = await configured.start();
  await stage.sign(agent, { keyrings: names, ...warmUp });
  const signed = await stage.sign(agent, { keyrings: names, ...load });
  const result = { ...withHoldings(agent, signed), startMs, startCpuMs };
  await stop();
  return result;
}
