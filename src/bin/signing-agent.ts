#!/usr/bin/env node
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAgent, type Agent } from '../agent/agent.ts';
import { ConfigError } from '../config/load.ts';
import { readConfig } from '../config/read.ts';
import { resolveSettings, type Flags, type Settings } from '../config/settings.ts';
import { AgentError, describeFailure } from '../base/errors.ts';
import { openLog, type LogLevel } from '../base/log.ts';
import { openLibc, type Libc } from '../native/libc.ts';
import { KeyringError } from '../agent/supervisor.ts';
import { escapeControls } from '../cli/shell/text.ts';
import { durableFiles } from '../files/durable-files.ts';
import { AlreadyRunningError } from '../files/state-dir-lock.ts';
import { configuredHosts } from '../agent/configured-hosts.ts';
import type { World } from '../base/world.ts';
import { daemonProgram } from './daemon-program.ts';
import { failpoint } from './failpoint.ts';
import { environmentBefore, relaunchSized } from './relaunch.ts';

/** Exit codes, as signing-agent(8) has them. */
const exitCodes = { stopped: 0, usage: 2, alreadyRunning: 3, keyring: 4 } as const;

/** What was admitted is answered for 5 s; then tokens and files are let go of, milliseconds. */
const longestStop = 7500;

const program = daemonProgram().exitOverride((failure) => {
  process.exit(failure.exitCode === 0 ? 0 : exitCodes.usage);
});

// Node's own handler opens the inspector to every user of the machine.
process.on('SIGUSR1', () => undefined);
// A limit on the size of files is a failed write, and not the end of the agent.
process.on('SIGXFSZ', () => undefined);
program.parse();
await main(program.opts<Flags & { config?: string; logLevel?: LogLevel }>());

async function main({ config: file, ...flags }: Flags & { config?: string }): Promise<void> {
  process.umask(0o077);
  const libc = openLibc();
  const uid = process.geteuid?.() ?? 0;
  const processors = availableParallelism();
  try {
    const where = {
      env: process.env,
      uid,
      cwd: process.cwd(),
      file: file ?? 'configuration',
      processors,
    };
    const readSettings = (): Settings => resolveSettings(readConfig(file, uid), flags, where);
    const settings = readSettings();
    const world: World = {
      now: () => Date.now(),
      monotonicNow: () => performance.now(),
      schedule: (milliseconds, act) => {
        const timer = setTimeout(act, milliseconds).unref();
        return () => {
          clearTimeout(timer);
        };
      },
      pause: (milliseconds) => sleep(milliseconds),
      randomBytes,
      files: durableFiles(libc),
      log: openLog(settings.logLevel),
      testPoint: failpoint(process.env),
    };
    relaunchSized({ processors, durable: settings.audit?.fsync === true }, libc, world);
    libc.refuseCoreDumps();
    const signals = obeySignals(world, libc);
    const agent = await startAgent({
      settings,
      readSettings,
      world,
      libc,
      pid: process.pid,
      uid,
      hosts: configuredHosts(settings, environmentBefore(process.env), processors),
      credentialsDir: process.env['CREDENTIALS_DIRECTORY'] ?? null,
    });
    if (signals.started(agent)) return;
    world.log.info({ socket: agent.socketPath, pid: process.pid }, 'ready');
    tellServiceManager(libc, world, 'READY=1');
  } catch (failure) {
    fail(failure);
  }
}

interface Signals {
  /** From here on signals stop this agent; true where one has come already, and it is being stopped. */
  started(agent: Agent): boolean;
}

/**
 * A signal while the agent starts waits until it has started: some modules rewrite the token as they log in, and
 * must not be cut off there.
 */
function obeySignals(world: World, libc: Libc): Signals {
  let running: Agent | null = null;
  let received: string | null = null;
  const stop = (agent: Agent): void => {
    world.log.info({ signal: received }, 'stopping');
    tellServiceManager(libc, world, 'STOPPING=1');
    agent.stop().then(
      () => {
        world.log.info('stopped');
        process.exit(exitCodes.stopped);
      },
      (failure: unknown) => {
        world.log.error({ reason: describeFailure(failure) }, 'could not stop in order');
        process.exit(1);
      },
    );
  };
  const receive = (signal: string): void => {
    if (received !== null) return;
    received = signal;
    // A module that hangs must not hold up the end; its process ends with this one.
    setTimeout(() => {
      world.log.error('something did not stop in time: ending without it');
      process.exit(exitCodes.stopped);
    }, longestStop).unref();
    if (running !== null) stop(running);
  };
  process.on('SIGTERM', receive);
  process.on('SIGINT', receive);
  process.on('SIGHUP', () => {
    if (running !== null) running.reload();
    else world.log.info('SIGHUP while the agent starts: it reads everything anyway');
  });
  return {
    started(agent) {
      running = agent;
      if (received !== null) stop(agent);
      return received !== null;
    },
  };
}

function tellServiceManager(libc: Libc, world: World, message: string): void {
  const address = process.env['NOTIFY_SOCKET'];
  if (address === undefined || address === '') return;
  try {
    libc.notify(address, message);
  } catch (failure) {
    world.log.error({ reason: describeFailure(failure) }, 'could not tell the service manager');
  }
}

function fail(failure: unknown): never {
  const lines = describeFailure(failure).split('\n').map(escapeControls);
  process.stderr.write(`signing-agent: ${lines.join('\n')}\n`);
  if (failure instanceof AlreadyRunningError) process.exit(exitCodes.alreadyRunning);
  if (failure instanceof KeyringError) process.exit(exitCodes.keyring);
  if (failure instanceof ConfigError || failure instanceof AgentError) {
    process.exit(exitCodes.usage);
  }
  throw failure;
}
