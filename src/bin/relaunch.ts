import type { Settings } from '../config/settings.ts';
import { describeFailure } from '../errors.ts';
import type { Libc } from '../native/libc.ts';
import type { World } from '../world.ts';

const fewestThreads = 2;
const mostThreads = 128;

/**
 * Most MiB of one half of the heap's young generation. Node's default of 16 makes the process some 20 MB larger
 * under load and saves a few per cent of its time; 2 would cost about a tenth.
 */
const semiSpace = 4;

/**
 * Node fixes the size of its thread pool and of its heap's young generation before any of our code runs, and
 * both matter here. Signatures that are made on this machine's processors want a thread each processor: with more
 * the threads are in each other's way (SoftHSM on two processors: a quarter fewer signatures with eight threads
 * than with two). A device that makes them elsewhere wants a thread each session that it was given. So the agent
 * starts itself once more, as the same process. An operator who sets UV_THREADPOOL_SIZE has decided for himself.
 */
export function relaunchSized(
  settings: Settings,
  processors: number,
  libc: Libc,
  world: World,
): void {
  const { env, execPath, execArgv, argv } = process;
  if (env['UV_THREADPOOL_SIZE'] !== undefined) return;
  const own = settings.keyrings.reduce(
    (sum, keyring) => sum + (keyring.backend === 'pkcs11' ? keyring.ownThreads : 0),
    0,
  );
  const threads = Math.min(Math.max(own, processors, fewestThreads), mostThreads);
  const environment = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  try {
    libc.become(
      execPath,
      [execPath, `--max-semi-space-size=${semiSpace}`, ...execArgv, ...argv.slice(1)],
      { ...environment, UV_THREADPOOL_SIZE: String(threads) },
    );
  } catch (failure) {
    world.log.warn(
      { reason: describeFailure(failure) },
      'could not start again with a thread pool of the right size: a token may be slower',
    );
  }
}
