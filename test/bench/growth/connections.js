// Connections: many on which nothing is said beside one that asks, and many that ask.
import { join } from 'node:path';
import { configureAgent, onFile, openConnections } from '../agents.js';
import { meter } from '../machine/cpu.js';
import { startUntil } from '../machine/processes.js';
import { growthOf, growthTable, withHoldings } from './growth.js';

const counts = [1, 10, 100, 1000, 10_000];
const keyring = 'default';
/** Open files that one process needs: the connections, and what it has anyway. */
const descriptors = Math.max(...counts) + 1000;

export const connections = {
  async prepare(stage) {
    const agent = await configureAgent(join(stage.folder, 'connections'), {
      keyrings: { [keyring]: onFile },
      socketLines: 'max_connections = 20000\nmax_connections_per_uid = 20000',
      descriptors,
    }).start();
    await stage.warmUpAll(agent, [keyring]);
    const { roundtrip } = await stage.programs();
    const idle = counts.map((count) => [
      count,
      () => beside(stage, agent, [roundtrip, 'idle', agent.socket, String(count)], count),
    ]);
    const busy = counts.map((count) => [
      count,
      async () =>
        withHoldings(agent, await stage.sign(agent, { keyring, connections: count, depth: 1 })),
    ]);
    return growthOf({
      'that ask, file': Object.fromEntries(busy),
      'idle beside one that asks': Object.fromEntries(idle),
    });
  },
  table: (figures) => growthTable('connections', figures),
};

/** One connection that asks, one request after the other, while so many others say nothing. */
async function beside(stage, agent, command, count) {
  const idle = await startUntil('ready', command, { descriptors });
  const open = await openConnections(agent.socket);
  if (open < count) throw new Error(`only ${open} connections are open`);
  const since = meter({ agent: { pid: agent.pid, children: 'host' } });
  const { signatures, ...taken } = await stage.roundtrip('sign', agent.socket, keyring);
  const measured = withHoldings(agent, { ...taken, cpu: since(signatures) });
  await idle.stop();
  return measured;
}
