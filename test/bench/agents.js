// Agents and SoftHSM tokens on folders of their own.
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, startUntil } from './processes.js';

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
 * `socketLines`: more lines of the socket's table; `moreTables`: behind all others.
 */
export function configureAgent(
  folder,
  { keyrings, token = null, socketLines = '', moreTables = '', descriptors = 0 },
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
  const environment = token?.environment ?? {};
  return {
    config,
    socket,
    environment,
    /** The file with a keyring's keys, or their records. */
    recordsOf: (keyring) => join(stateDir, 'keyrings', `${keyring}.json`),
    /** Resolves when it is ready: {pid, startMs, stop}. */
    start: () =>
      startUntil(
        '"msg":"ready"',
        [process.execPath, program('signing-agent'), '--config', config],
        {
          environment,
          output: 'stderr',
          descriptors,
        },
      ),
  };
}

/** The lines of a keyring's table. */
export const onFile = 'backend = "file"';
export const onToken = (token) => `backend = "pkcs11"\nuri = "${token.uri}"`;

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
