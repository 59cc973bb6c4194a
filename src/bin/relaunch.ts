import { describeFailure } from '../base/errors.ts';
import type { Libc } from '../native/libc.ts';
import type { World } from '../base/world.ts';

/** Says after the start that the size of the thread pool is ours, not an operator's. */
const sizedHere = 'SIGNING_AGENT_SIZED';
const fewestThreads = 2;
const mostThreads = 128;

/**
 * Most MiB of one half of the heap's young generation. Node's default of 16 makes the process some 20 MB larger
 * under load and saves a few per cent of its time; 2 would cost about a tenth.
 */
const semiSpace = 4;

/**
 * Node fixes the size of its thread pool and of its heap's young generation before any of our code runs. A keystore
 * file's signatures are made in that pool: with more threads than processors they are in each other's way, but for one
 * that only waits for the disk, where an audit log is `durable`. So the agent starts itself once more, as the same
 * process. An operator who sets UV_THREADPOOL_SIZE has decided.
 */
export function relaunchSized(
  { processors, durable }: { processors: number; durable: boolean },
  libc: Libc,
  world: World,
): void {
  const { env, execPath, execArgv, argv } = process;
  if (env['UV_THREADPOOL_SIZE'] !== undefined) return;
  const signing = Math.max(processors, fewestThreads);
  const threads = Math.min(signing + (durable ? 1 : 0), mostThreads);
  const environment = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  try {
    libc.become(
      execPath,
      [execPath, `--max-semi-space-size=${semiSpace}`, ...execArgv, ...argv.slice(1)],
      { ...environment, UV_THREADPOOL_SIZE: String(threads), [sizedHere]: '1' },
    );
  } catch (failure) {
    world.log.warn(
      { reason: describeFailure(failure) },
      'could not start again with a thread pool of the right size: signatures may be slower',
    );
  }
}

/** The environment as it was before `relaunchSized`. */
export function environmentBefore(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const { [sizedHere]: sized, ...before } = environment;
  return sized === undefined ? before : { ...before, UV_THREADPOOL_SIZE: undefined };
}
