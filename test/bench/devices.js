// Devices, emulated: what the agent gets out of one beside a loop in C that has one for itself. Each contestant has an
// emulator of its own, since a device's time is shared by all that use it.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configureAgent, onToken } from './agents.js';
import { contest, contestTable, loadsOf, threadsOf } from './contest.js';
import { libraryIn } from './machine/libraries.js';
import { measureWith, startListening, startUntil } from './machine/processes.js';

const keyring = 'default';
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const loads = [
  [1, 1],
  [8, 16],
];

/** A TPM (swtpm) that the agent speaks to itself, and TPM2_Sign over and over. */
export const tpm = {
  async prepare(stage) {
    if (!existsSync('/usr/bin/swtpm')) return { unavailable: 'swtpm is not installed' };
    const [ours, theirs] = [await startTpm(stage, 'ours'), await startTpm(stage, 'theirs')];
    const agent = await configureAgent(join(stage.folder, 'tpm-agent'), {
      keyrings: { [keyring]: `backend = "tpm"\ndevice = "unix:${ours}"\nalgorithm = "es256"` },
    }).start();
    await stage.warmUpAll(agent, [keyring]);
    const { tpmLoop } = await stage.programs();
    const args = [theirs, String(stage.seconds)];
    const loops = { 'TPM2_Sign in C': () => measureWith(tpmLoop, args, stage) };
    return contest(loops, loadsOf(stage, agent, keyring, loads));
  },
  table: (figures) => contestTable('TPM (swtpm), ES256', figures),
};

/** What a command is given where the emulator takes the time of a device, milliseconds. */
const commandTime = 10;

/**
 * A YubiHSM 2 (the tests' emulator, behind an emulated connector) through its PKCS#11 module: as fast as the emulator
 * goes, which is a contest for the processors, and with a time for each command, as a device takes one.
 */
export const yubihsm = yubihsmWith(0, 'YubiHSM 2 (emulator), Ed25519');
export const slowYubihsm = yubihsmWith(
  commandTime,
  `YubiHSM 2 (emulator, ${commandTime} ms a command), Ed25519`,
);

function yubihsmWith(milliseconds, title) {
  return {
    async prepare(stage) {
      const module = yubihsmModule();
      if (module === null) {
        return {
          unavailable: 'yubihsm-pkcs11 is not here: scripts/install-test-deps puts it there',
        };
      }
      const [ours, theirs] = [
        await startYubiHsm(stage, `ours-${milliseconds}`, module, milliseconds),
        await startYubiHsm(stage, `theirs-${milliseconds}`, module, milliseconds),
      ];
      const folder = join(stage.folder, `yubihsm-agent-${milliseconds}`);
      const agent = await configureAgent(folder, {
        keyrings: { [keyring]: `${onToken(ours)}\nenvironment = ["LD_LIBRARY_PATH"]` },
        token: ours,
      }).start();
      await stage.warmUpAll(agent, [keyring]);
      const loops = threadsOf([1, 2, 4], (threads) => stage.loop(theirs, { threads }));
      return contest(loops, loadsOf(stage, agent, keyring, loads));
    },
    table: (figures) => contestTable(title, figures),
  };
}

/** Answers its socket, which serves one program at a time. */
async function startTpm({ folder, progress }, name) {
  progress(`starting a TPM (${name})`);
  const [state, socket] = [join(folder, `tpm-${name}`), join(folder, `tpm-${name}.sock`)];
  mkdirSync(state);
  await startListening(socket, [
    ...['swtpm', 'socket', '--tpm2', '--tpmstate', `dir=${state}`],
    ...['--flags', 'not-need-init,startup-clear', '--server', `type=unixio,path=${socket}`],
  ]);
  return socket;
}

/** Answers a token, as makeToken does. */
async function startYubiHsm({ folder, progress }, name, modulePath, milliseconds) {
  progress(`starting an emulator of a YubiHSM (${name})`);
  const loader = join(root, 'test/support/typescript-loader.js');
  const emulator = join(root, 'test/devices/yubihsm/main.ts');
  const { line } = await startUntil(
    '127.0.0.1:',
    [process.execPath, '--import', loader, emulator, ...['0', '', '2.4.0', String(milliseconds)]],
    { output: 'stderr' },
  );
  const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
  const [configuration, pinFile] = ['conf', 'pin'].map((end) =>
    join(folder, `yubihsm-${name}.${end}`),
  );
  writeFileSync(configuration, `connector = http://127.0.0.1:${port}\n`);
  // As the device leaves its factory: the number of the authentication key, and its password.
  writeFileSync(pinFile, '0001password\n', { mode: 0o600 });
  const label = 'YubiHSM';
  const uri = `pkcs11:token=${label}?module-path=${modulePath}&pin-source=file:${pinFile}`;
  // The module opens its HTTP half by name alone.
  const environment = {
    YUBIHSM_PKCS11_CONF: configuration,
    LD_LIBRARY_PATH: dirname(dirname(modulePath)),
  };
  return { uri, label, modulePath, pinFile, environment };
}

/** Where scripts/unpack-yubihsm puts it, or installed; null: neither. */
function yubihsmModule() {
  const own = process.getuid() === 0 ? '/var/cache' : join(homedir(), '.cache');
  const cache = process.env['XDG_CACHE_HOME'] ?? own;
  const unpacked = join(cache, 'signing-agent-devices', 'yubihsm', 'root');
  return (
    libraryIn(unpacked, 'pkcs11/yubihsm_pkcs11.so') ?? libraryIn('/', 'pkcs11/yubihsm_pkcs11.so')
  );
}
