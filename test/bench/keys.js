// Keyrings with records of many keys, against keyrings with one: signatures, and the time to start.
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken, program } from './agents.js';
import { addRetiredKeys, addRevokedRecords } from './many-keys.js';
import { run } from './processes.js';
import { warmUp } from './stage.js';
import { medianOf, medianRatio } from './statistics.js';
import { fixed, row } from './table.js';

const many = 10_000;
const keyring = 'default';

export const keys = {
  async prepare(stage) {
    stage.progress(`making keyrings with ${many} keys`);
    const agents = {
      'softhsm, 1 key': await softhsmWith(stage, 1),
      [`softhsm, ${many} keys`]: await softhsmWith(stage, many),
      'file, 1 key': await fileWith(stage, 1),
      [`file, ${many} keys`]: await fileWith(stage, many),
    };
    return {
      contestants: Object.fromEntries(
        Object.entries(agents).map(([name, agent]) => [name, () => startAndSign(stage, agent)]),
      ),
      figures(results) {
        const ratio = (backend, member) => {
          const taken = (count) => results[`${backend}, ${count}`].map((result) => result[member]);
          return medianRatio(taken(`${many} keys`), taken('1 key'));
        };
        return Object.keys(agents).map((name) => ({
          name,
          per_second: medianOf(results[name], 'perSecond'),
          start_ms: medianOf(results[name], 'startMs'),
          ...(name.endsWith(`${many} keys`)
            ? {
                per_second_ratio_to_one_key: ratio(name.split(',')[0], 'perSecond'),
                start_ratio_to_one_key: ratio(name.split(',')[0], 'startMs'),
              }
            : {}),
        }));
      },
    };
  },
  table: (figures) => [
    row('keyrings with many keys', 'sign/s', 'of 1 key', 'start ms', 'of 1 key'),
    ...figures.map((one) =>
      row(
        `  ${one.name}`,
        fixed(one.per_second, 0),
        fixed(one.per_second_ratio_to_one_key, 2),
        fixed(one.start_ms, 0),
        fixed(one.start_ratio_to_one_key, 2),
      ),
    ),
  ],
};

async function startAndSign(stage, agent) {
  const { startMs, stop } = await agent.start();
  await stage.sign(agent.socket, { keyring, ...warmUp });
  const order = { keyring, connections: 8, depth: 16, seconds: stage.seconds };
  const { perSecond } = await stage.sign(agent.socket, order);
  await stop();
  return { startMs, perSecond };
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
  const agentctl = (...args) =>
    run(process.execPath, [program('agentctl'), ...args], { seconds: 120, environment });
  if (!(await agentctl('reconcile', '--help')).includes('--accept-records')) return;
  const options = ['--config', config, '--accept-records', '--apply'];
  await agentctl('--keyring', keyring, 'reconcile', ...options);
}
