// Signatures a second of the SSH agent, and of OpenSSH's ssh-agent: the same load program on both, one right after the
// other. One request at a time on each connection, since ssh-agent does not read ahead.
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken } from './agents.js';
import { measureWith, run, startUntil } from './processes.js';
import { medianOf, medianRatio } from './statistics.js';
import { fixed, row } from './table.js';

const loads = [1, 8];
const target = { connections: 8, ratio: 8 };
/** Agents of ours, by name: what differs in their configuration. The first is what the target is about. */
const agents = {
  'file keyring': () => ({ keyring: onFile }),
  'file keyring, audit on': () => ({ keyring: onFile, moreTables: '[audit]\n' }),
  'softhsm keyring': (token) => ({ keyring: onToken(token), token }),
};
const stock = 'OpenSSH ssh-agent, key in a file';

export const ssh = {
  async prepare(stage) {
    const { sshLoad } = await stage.programs();
    const measure = (socket, connections) => () =>
      measureWith(sshLoad, [socket, String(stage.seconds), String(connections)], stage);
    const token = await makeToken(join(stage.folder, 'ssh-token'));
    const sockets = { [stock]: await stockAgent(stage) };
    for (const [index, [name, of]] of Object.entries(agents).entries()) {
      stage.progress(`starting an agent with a ${name} for ssh`);
      const folder = join(stage.folder, `ssh-${index}`);
      const { keyring, moreTables = '', ...rest } = of(token);
      const tables = `${moreTables}[ssh_agent]\n`;
      await configureAgent(folder, {
        ...{ keyrings: { default: keyring }, moreTables: tables },
        ...rest,
      }).start();
      sockets[name] = join(folder, 'ssh.sock');
    }
    // V8 compiles what runs often.
    for (const socket of Object.values(sockets)) await measure(socket, target.connections)();
    const contestants = Object.fromEntries(
      loads.flatMap((connections) =>
        Object.entries(sockets).map(([name, socket]) => [
          `${name}, ${connections}`,
          measure(socket, connections),
        ]),
      ),
    );
    return { contestants, figures };
  },
  table: ({ contestants }) => [
    row('SSH agent, connections', 'sign/s', 'of ssh-agent', 'median us', 'p99 us'),
    ...contestants.map(({ name, per_second, ratio_to_ssh_agent, median_us, p99_us }) =>
      row(
        `  ${name}`,
        fixed(per_second, 0),
        fixed(ratio_to_ssh_agent, 2),
        fixed(median_us, 0),
        fixed(p99_us, 0),
      ),
    ),
    `  target: file keyring, ${target.connections} connections, at least ${target.ratio} times ssh-agent`,
  ],
};

/** OpenSSH's own, with an Ed25519 key that is made for it. Answers its socket. */
async function stockAgent({ folder, progress }) {
  progress('starting ssh-agent');
  const [socket, key] = [join(folder, 'stock.sock'), join(folder, 'stock-key')];
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key], { seconds: 60 });
  await startUntil('SSH_AUTH_SOCK=', ['ssh-agent', '-D', '-a', socket]);
  await run('ssh-add', ['-q', key], { seconds: 60, environment: { SSH_AUTH_SOCK: socket } });
  return socket;
}

function figures(results) {
  const perSecond = (name) => results[name].map((result) => result.perSecond);
  return {
    contestants: Object.keys(results).map((name) => ({
      name,
      per_second: medianOf(results[name], 'perSecond'),
      ratio_to_ssh_agent: medianRatio(
        perSecond(name),
        perSecond(`${stock}, ${name.split(', ').at(-1)}`),
      ),
      median_us: medianOf(results[name], 'medianUs'),
      p99_us: medianOf(results[name], 'p99Us'),
    })),
  };
}
