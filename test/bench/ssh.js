// Signatures a second of the SSH agent, and of OpenSSH's ssh-agent: the same load program on both, one right after the
// other. One request at a time on each connection, since ssh-agent does not read ahead.
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken } from './agents.js';
import { contestTable, timesOf } from './contest.js';
import { meter } from './machine/cpu.js';
import { measureWith, run, startUntil } from './machine/processes.js';
import { medianOf, medianRatio } from './report/statistics.js';

const busy = 8;
const loads = [1, busy];
/** Agents of ours, by name: what differs in their configuration. */
const agents = {
  'file keyring': () => ({ keyring: onFile }),
  'file keyring, audit on': () => ({ keyring: onFile, moreTables: '[audit]\n' }),
  'softhsm keyring': (token) => ({ keyring: onToken(token), token }),
};
const stock = 'OpenSSH ssh-agent, key in a file';

export const ssh = {
  async prepare(stage) {
    const { sshLoad } = await stage.programs();
    const measure =
      ({ pid, socket }, connections) =>
      async () => {
        const since = meter({ agent: { pid, children: 'host' } });
        const args = [socket, String(stage.seconds), String(connections)];
        const { signatures, ...taken } = await measureWith(sshLoad, args, stage);
        return { ...taken, cpu: since(signatures) };
      };
    const token = await makeToken(join(stage.folder, 'ssh-token'));
    const contenders = { [stock]: await stockAgent(stage) };
    for (const [index, [name, of]] of Object.entries(agents).entries()) {
      stage.progress(`starting an agent with a ${name} for ssh`);
      const folder = join(stage.folder, `ssh-${index}`);
      const { keyring, moreTables = '', ...rest } = of(token);
      const tables = `${moreTables}[ssh_agent]\n`;
      const { pid } = await configureAgent(folder, {
        ...{ keyrings: { default: keyring }, moreTables: tables },
        ...rest,
      }).start();
      contenders[name] = { pid, socket: join(folder, 'ssh.sock') };
    }
    // V8 compiles what runs often.
    for (const one of Object.values(contenders)) await measure(one, busy)();
    const contestants = Object.fromEntries(
      loads.flatMap((connections) =>
        Object.entries(contenders).map(([name, one]) => [
          `${name}, ${connections}`,
          measure(one, connections),
        ]),
      ),
    );
    return { contestants, figures };
  },
  table: (figures) =>
    contestTable('SSH agent, connections', figures, 'ratio_to_ssh_agent', 'of ssh-agent'),
};

/** OpenSSH's own, with an Ed25519 key that is made for it. Answers its process and its socket. */
async function stockAgent({ folder, progress }) {
  progress('starting ssh-agent');
  const [socket, key] = [join(folder, 'stock.sock'), join(folder, 'stock-key')];
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key], { seconds: 60 });
  const { pid } = await startUntil('SSH_AUTH_SOCK=', ['ssh-agent', '-D', '-a', socket]);
  await run('ssh-add', ['-q', key], { seconds: 60, environment: { SSH_AUTH_SOCK: socket } });
  return { pid, socket };
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
      ...timesOf(results[name]),
    })),
  };
}
