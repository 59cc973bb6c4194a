// Agents and SoftHSM tokens on folders of their own.
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuOf } from './machine/cpu.js';
import { run, startUntil } from './machine/processes.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The built program's file. */
export const program = (name) => join(root, 'dist', 'bin', `${name}.js`);

/** A new token in `folder`, which is made, with what its users must be told. */
export async function makeToken(folder) {
  const maker = join(root, 'softhsm', 'make-token');
  const lines = await run(maker, ['--dir', folder, '--label', 'bench'], { seconds: 60 });
  const uri = /uri = "(.*)"/.exec(lines)?.[1];
  const modulePath = /module-path=([^&]+)/.exec(uri ?? '')?.[1];
  if (modulePath === undefined) throw new Error(`no URI in: ${lines}`);
  return {
    uri,
    label: 'bench',
    modulePath: decodeURIComponent(modulePath),
    pinFile: join(folder, 'pin'),
    environment: { SOFTHSM2_CONF: join(folder, 'softhsm2.conf') },
  };
}

/**
 * An agent that is configured and not started. `keyrings`: name → lines of its table; `token`: what they use;
 * `environment`: the agent's, where it is not the token's; `socketLines`: more lines of the socket's table;
 * `moreTables`: behind all others; `descriptors`: open files that it needs; `launcher`: words before the command, of a
 * program that becomes what it is told.
 */
export function configureAgent(
  folder,
  {
    keyrings,
    token = null,
    environment = token?.environment ?? {},
    socketLines = '',
    moreTables = '',
    descriptors = 0,
    launcher = [],
  },
) {
  mkdirSync(folder, { mode: 0o700 });
  const config = join(folder, 'agent.toml');
  const socket = join(folder, 'agent.sock');
  const stateDir = join(folder, 'state');
  const tables = Object.entries(keyrings).map(([name, lines]) => `[keyrings.${name}]\n${lines}\n`);
  writeFileSync(
    config,
    `state_dir = "${stateDir}"\n[socket]\npath = "${socket}"\n${socketLines}\n${tables.join('')}${moreTables}`,
    { mode: 0o600 },
  );
  return {
    config,
    socket,
    environment,
    stateDir,
    /** The file with a keyring's keys, or their records. */
    recordsOf: (keyring) => join(stateDir, 'keyrings', `${keyring}.json`),
    /** Resolves when it is ready: {pid, socket, startMs, startCpuMs, stop}. */
    async start() {
      const command = [...launcher, process.execPath, program('signing-agent'), '--config', config];
      const options = { environment, output: 'stderr', descriptors };
      const { pid, startMs, stop } = await startUntil('"msg":"ready"', command, options);
      const { own, others } = cpuOf(pid);
      const startCpuMs = (own.user + own.system + others.user + others.system) * 1000;
      return { pid, socket, startMs, startCpuMs, stop };
    },
  };
}

/** The lines of a keyring's table. */
export const onFile = 'backend = "file"';
export const onToken = (token, algorithm = 'ed25519') =>
  `backend = "pkcs11"\nuri = "${token.uri}"\nalgorithm = "${algorithm}"`;

/** How many connections the agent has open, this one among them. */
export function openConnections(socket) {
  return new Promise((resolve, reject) => {
    const client = connect(socket, () => {
      client.write('{"jsonrpc":"2.0","id":1,"method":"status"}\n');
    });
    let text = '';
    client.setTimeout(30_000, () => client.destroy(new Error('the agent did not tell its status')));
    client.on('error', reject);
    client.on('data', (chunk) => {
      text += chunk;
      if (!text.endsWith('\n')) return;
      client.destroy();
      resolve(JSON.parse(text).result.connections.open);
    });
  });
}
