#!/usr/bin/env node
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { dirname } from 'node:path';
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
import { runEphemeral } from './ephemeral.ts';
import { failpoint } from './failpoint.ts';
import { environmentBefore, relaunchSized } from './relaunch.ts';
import { ServiceManager } from './service-manager.ts';

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

interface Given extends Flags {
  readonly config?: string;
  readonly logLevel?: LogLevel;
  readonly ephemeral?: true;
  /** The pid of a process with `--ephemeral`. */
  readonly ephemeralOf?: number;
}

const given = program.opts<Given>();
if (given.ephemeral) await ephemeral(given, program.args);
else if (program.args.length === 0) await main(given);
else program.error('error: an argument that is no flag: a command wants --ephemeral before it');

/** `signing-agent --ephemeral -- COMMAND`. */
async function ephemeral(flags: Given, command: readonly string[]): Promise<void> {
  if (command.length === 0) program.error('error: --ephemeral wants a command behind --');
  const others = ['config', 'stateDir', 'socket'] as const;
  if (others.some((name) => flags[name] !== undefined)) {
    program.error('error: with --ephemeral there is no --config, --state-dir and --socket');
  }
  process.umask(0o077);
  try {
    const { execPath, env, stderr, argv } = process;
    const agent = [execPath, argv[1] ?? ''] as const;
    process.exitCode = await runEphemeral({ command, agent: [...agent], env, stderr });
  } catch (failure) {
    fail(failure);
  }
}

async function main({ config: file, ephemeralOf, ...flags }: Given): Promise<void> {
  process.umask(0o077);
  const libc = openLibc();
  if (ephemeralOf !== undefined) endWith(ephemeralOf, libc);
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
    if (ephemeralOf !== undefined) removeAtExit(dirname(settings.stateDir));
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
    const manager = new ServiceManager({
      ...{ env: process.env, pid: process.pid, libc, world },
      monotonicUs: () => process.hrtime.bigint() / 1000n,
    });
    const signals = obeySignals(world, manager);
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
    manager.ready(inWords(agent));
    const { aliveEvery } = manager;
    if (aliveEvery !== null) {
      setInterval(() => {
        manager.sayAlive();
      }, aliveEvery).unref();
    }
  } catch (failure) {
    fail(failure);
  }
}

/** An agent for one command must not outlive who started both. */
function endWith(parent: number, libc: Libc): void {
  libc.signalAtParentsEnd(constants.signals.SIGTERM);
  if (process.ppid !== parent) process.exit(exitCodes.stopped);
}

/** Who started it does that too, unless it was killed. */
function removeAtExit(folder: string): void {
  process.on('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
}

interface Signals {
  /** From here on signals stop this agent; true where one has come already, and it is being stopped. */
  started(agent: Agent): boolean;
}

/**
 * A signal while the agent starts waits until it has started: some modules rewrite the token as they log in, and
 * must not be cut off there.
 */
function obeySignals(world: World, manager: ServiceManager): Signals {
  let running: Agent | null = null;
  let received: string | null = null;
  const stop = (agent: Agent): void => {
    world.log.info({ signal: received }, 'stopping');
    manager.stopping();
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
    if (running !== null) {
      manager.reloading();
      running.reload();
      manager.ready(inWords(running));
    } else world.log.info('SIGHUP while the agent starts: it reads everything anyway');
  });
  return {
    started(agent) {
      running = agent;
      if (received !== null) stop(agent);
      return received !== null;
    },
  };
}

/** For `systemctl status`. */
function inWords(agent: Agent): string {
  const { keyrings } = agent.status();
  const counts = ['ok', 'locked', 'unavailable'].flatMap((health) => {
    const count = keyrings.filter((keyring) => keyring.health === health).length;
    return count === 0 ? [] : [`${count} ${health}`];
  });
  return `keyrings: ${counts.join(', ') || 'none'}`;
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
