import type { Settings } from '../config/settings.ts';
import { describeFailure } from '../errors.ts';
import type { Libc } from '../native/libc.ts';
import type { World } from '../world.ts';

/** libuv's own number; file access and node:crypto share the pool with the sessions of the tokens. */
const fewestThreads = 4;
const mostThreads = 128;

/**
 * Most MiB of one half of the heap's young generation. Node's default of 16 makes the process about 15 MB larger
 * under load and saves a few per cent of its time; 2 would cost about a tenth.
 */
const semiSpace = 8;

/**
 * Node fixes the size of its thread pool and of its heap's young generation before any of our code runs, and
 * both matter here: a token works on no more signatures at a time than there are threads. So the agent starts
 * itself once more, as the same process. An operator who sets UV_THREADPOOL_SIZE has decided for himself.
 */
export function relaunchSized(settings: Settings, libc: Libc, world: World): void {
  const { env, execPath, execArgv, argv } = process;
  if (env['UV_THREADPOOL_SIZE'] !== undefined) return;
  const sessions = settings.keyrings.reduce(
    (sum, keyring) => sum + (keyring.backend === 'pkcs11' ? keyring.sessions : 0),
    0,
  );
  const threads = Math.min(Math.max(sessions, fewestThreads), mostThreads);
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
