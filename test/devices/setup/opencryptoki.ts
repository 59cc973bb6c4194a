import { existsSync } from 'node:fs';
import { run } from '../../support/daemon.ts';
import { isRunning, until } from '../../support/faulty-agent.ts';
import type { DeviceToken } from '../device.ts';
import { libraryPath } from './libraries.ts';
import type { DebianRoot } from './root.ts';
import { pkcs11Table, TokenProgram } from './token-program.ts';

const label = 'opencryptoki';
const pin = 'ockpin12';
/** As openCryptoki's tokens leave the factory. */
const factorySoPin = '87654321';

/** openCryptoki knows one place for its soft token, so each has these folders to itself. */
const folders = [
  '/run/opencryptoki',
  '/var/lock/opencryptoki',
  '/var/lib/opencryptoki',
  '/var/log/opencryptoki',
];

/** The daemon that shares the slots out; its number is printed. It forks, whether it is asked to or not. */
const start = `
set -e
mkdir -p /var/lib/opencryptoki/swtok/TOK_OBJ /var/lock/opencryptoki/swtok
chown -R root:pkcs11 /var/lib/opencryptoki /var/lock/opencryptoki /var/log/opencryptoki
chmod -R 770 /var/lib/opencryptoki /var/lock/opencryptoki
chown pkcsslotd:pkcs11 /run/opencryptoki
chmod 710 /run/opencryptoki
/usr/sbin/pkcsslotd >&2
cat /run/opencryptoki/pkcsslotd.pid
`;

/** The soft token of openCryptoki in another release's root. */
export async function makeOpenCryptokiToken({
  path,
  launcher: inRoot,
}: DebianRoot): Promise<DeviceToken> {
  const [command, ...words] = [...inRoot, '/bin/sh', '-c', start];
  const started = await run(command, words, '', { IN_ROOT_PRIVATE: folders.join(' ') });
  if (started.code !== 0) throw new Error(`pkcsslotd: ${started.out}${started.err}`);
  const daemon = Number(started.out);
  // Whoever uses the token does so where the daemon is.
  const launcher = ['nsenter', '--mount', '--ipc', '--root', '--wd', '--target', String(daemon)];
  // It does not end at SIGTERM while it counts a process that was killed; what it keeps is its own and goes with it.
  const stop = async (): Promise<void> => {
    if (isRunning(daemon)) process.kill(daemon, 'SIGKILL');
    await until('the end of pkcsslotd', () => !isRunning(daemon));
  };
  const module = (libraryPath(['pkcs11/libopencryptoki.so'], path) ?? '').slice(path.length);
  const environment = {};
  const program = new TokenProgram({ module, token: label, pin, environment, launcher });
  try {
    await until('the socket of pkcsslotd', () => {
      if (!isRunning(daemon)) throw new Error(`pkcsslotd has ended: ${started.out}${started.err}`);
      return existsSync(`/proc/${daemon}/root/run/opencryptoki/pkcsslotd.socket`);
    });
    const soPin = 'sopin123'; // at most 8 bytes
    await program.runLoggedOut({
      ...({ do: 'initToken', label, soPin, pin } as const),
      ...{ factorySoPin, model: 'Soft' },
    });
  } catch (failure) {
    await stop();
    throw failure;
  }
  return {
    place: pkcs11Table(`pkcs11:token=${label}?module-path=${module}`),
    ...{ label, pin, environment, launcher, program },
    variables: [],
    libraryParameters: null,
    remove: stop,
  };
}
