// Another program that forwards signatures to a token: p11-kit's server, whose clients load p11-kit-client.so. ES256,
// since that is what its protocol carries of what the agent signs with; the same token, the same loop in C.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { configureAgent, makeToken, onToken } from './agents.js';
import { contest, contestTable, loadsOf, threadsOf } from './contest.js';
import { meter } from './machine/cpu.js';
import { libraryIn } from './machine/libraries.js';
import { startUntil } from './machine/processes.js';

const keyring = 'default';
const algorithm = 'es256';
const clients = [1, 8];
/** Seconds between two clients that connect. */
const apart = 0.1;

export const forwarder = {
  async prepare(stage) {
    const [server, module] = [
      '/usr/libexec/p11-kit/p11-kit-server',
      libraryIn('/', 'pkcs11/p11-kit-client.so'),
    ];
    if (module === null || !existsSync(server)) {
      return { unavailable: 'p11-kit and p11-kit-modules are not installed' };
    }
    const token = await makeToken(join(stage.folder, 'forwarder-token'));
    await stage.loop(token, { algorithm, time: 0.1 }); // makes its key, before anyone else opens the token
    const agent = await configureAgent(join(stage.folder, 'forwarder'), {
      keyrings: { [keyring]: onToken(token, algorithm) },
      token,
    }).start();
    await stage.warmUpAll(agent, [keyring]);
    const forwarded = await forward(stage, token, module);
    const ways = Object.fromEntries(
      clients.map((count) => [
        `p11-kit server, ${count} client${count === 1 ? '' : 's'}`,
        () => throughServer(stage, forwarded, count),
      ]),
    );
    const loops = threadsOf([1, 2], (threads) => stage.loop(token, { threads, algorithm }));
    const loads = [
      [1, 1],
      [8, 1],
      [8, 16],
    ];
    const others = { ...ways, ...loadsOf(stage, agent, keyring, loads) };
    return contest(loops, others, availableParallelism());
  },
  table: (figures) => [
    ...contestTable('ES256 on softhsm, forwarded', figures),
    "  p11-kit: the server's CPU stands under host, that of its clients in C under load",
  ],
};

/** The token behind a server of p11-kit, as direct.c is told of it, with the server's process. */
async function forward({ folder, progress }, token, module) {
  progress('starting the server of p11-kit');
  const socket = join(folder, 'p11-kit.sock');
  const provider = ['--provider', token.modulePath, `pkcs11:token=${token.label}`];
  const { pid } = await startUntil(
    'P11_KIT_SERVER_PID',
    ['p11-kit', 'server', '--foreground', '--name', socket, ...provider],
    { environment: token.environment },
  );
  const environment = { P11_KIT_SERVER_ADDRESS: `unix:path=${socket}` };
  return { pid, token: { ...token, modulePath: module, environment } };
}

/**
 * A client is a process: within one, p11-kit-client has one connection and one request at a time. They connect one after
 * the other, since the server shows some of those that connect together no token, and begin together.
 */
async function throughServer(stage, { pid, token }, count) {
  const at = Number(process.hrtime.bigint()) / 1e9 + (count + 1) * apart;
  const since = meter({ host: { pid } });
  const all = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      await sleep(index * apart * 1000);
      return stage.loop(token, { algorithm, at });
    }),
  );
  const sum = (of) => all.reduce((total, one) => total + of(one), 0);
  const signatures = sum((one) => one.signatures);
  const aSignature = (of) => sum((one) => of(one) * one.signatures) / signatures;
  return {
    perSecond: sum(({ perSecond }) => perSecond),
    medianUs: aSignature(({ medianUs }) => medianUs),
    p99Us: Math.max(...all.map(({ p99Us }) => p99Us)),
    cpu: {
      ...since(signatures),
      load: {
        total: aSignature(({ cpuUs }) => cpuUs),
        system: aSignature(({ systemUs }) => systemUs),
      },
    },
  };
}
