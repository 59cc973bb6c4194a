// Keyrings with records of many keys: signatures, and the start.
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken, program } from '../agents.js';
import { run } from '../machine/processes.js';
import { warmUp } from '../stage.js';
import { growthOf, growthTable, withHoldings } from './growth.js';
import { addRetiredKeys, addRevokedRecords } from './many-keys.js';

const counts = [1, 100, 1000, 10_000, 100_000];
const keyring = 'default';

export const keys = {
  async prepare(stage) {
    const series = { file: {}, softhsm: {} };
    for (const count of counts) {
      stage.progress(`making keyrings with ${count} key${count === 1 ? '' : 's'}`);
      const agents = {
        file: await fileWith(stage, count),
        softhsm: await softhsmWith(stage, count),
      };
      for (const [backend, agent] of Object.entries(agents)) {
        series[backend][count] = () => startAndSign(stage, agent);
      }
    }
    return growthOf(series);
  },
  table: (figures) => growthTable('keys of a keyring', figures),
};

async function startAndSign(stage, configured) {
  const { startMs, startCpuMs, stop, ...agent } = await configured.start();
  await stage.sign(agent, { keyring, ...warmUp });
  const signed = await stage.sign(agent, { keyring, connections: 8, depth: 16 });
  const result = { ...withHoldings(agent, signed), startMs, startCpuMs };
  await stop();
  return result;
}

async function softhsmWith(stage, count) {
  const token = await makeToken(join(stage.folder, `token-${count}`));
  const agent = configureAgent(join(stage.folder, `softhsm-${count}`), {
    keyrings: { [keyring]: onToken(token) },
    token,
  });
  await makeFirstKey(agent);
  if (count > 1) {
    addRevokedRecords(agent.recordsOf(keyring), count - 1);
    await acceptRecords(agent);
  }
  return agent;
}

async function fileWith(stage, count) {
  const agent = configureAgent(join(stage.folder, `file-${count}`), {
    keyrings: { [keyring]: onFile },
  });
  await makeFirstKey(agent);
  if (count > 1) addRetiredKeys(agent.recordsOf(keyring), count - 1);
  return agent;
}

async function makeFirstKey(agent) {
  const { stop } = await agent.start();
  await stop();
}

/** An agent that seals its records refuses edited ones until it is told to take them. */
async function acceptRecords({ config, environment }) {
  const options = ['--config', config, '--accept-records', '--apply'];
  const command = [program('agentctl'), '--keyring', keyring, 'reconcile', ...options];
  await run(process.execPath, command, { seconds: 300, environment });
}
