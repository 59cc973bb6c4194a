// The processes of a run. Each one is bounded in time and ended here, with the children that it made.
import { execFile, fork, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { familyOf } from './family.js';

const started = new Set();
/** Bytes: reconcile has a line for each of 100,000 keys. */
const mostOutput = 1e9;
/** Seconds beyond the time that an order is to take. */
const grace = 60;

/** Runs a program to its end and answers its stdout. Rejects with its stderr where it fails. */
export function run(program, args, { seconds, environment = {} }) {
  return new Promise((resolve, reject) => {
    const options = {
      env: { ...process.env, ...environment },
      encoding: 'utf8',
      timeout: seconds * 1000,
      killSignal: 'SIGKILL',
      maxBuffer: mostOutput,
    };
    const child = execFile(program, args, options, (failure, stdout, stderr) => {
      started.delete(child);
      if (failure === null) resolve(stdout);
      else reject(new Error(`${program}: ${stderr.trim() || failure.message}`));
    });
    started.add(child);
  });
}

/** Runs one of the C programs, which are told for how many seconds, and answers what it prints. */
export async function measureWith(program, args, { seconds, environment }) {
  return JSON.parse(await run(program, args, { seconds: seconds + grace, environment }));
}

/**
 * Starts a program that runs until it is stopped, and waits for a line of its output that contains `sign`.
 * `descriptors`: how many files it may have open at least.
 */
export async function startUntil(sign, [program, ...args], options = {}) {
  const { environment = {}, output = 'stdout', descriptors = 0, seconds = 120 } = options;
  const raise = 'ulimit -S -n "$0" 2>/dev/null || ulimit -n "$0" && exec "$@"';
  const command =
    descriptors === 0
      ? [program, args]
      : ['/bin/sh', ['-c', raise, String(descriptors), program, ...args]];
  const begun = performance.now();
  const child = spawn(...command, {
    env: { ...process.env, ...environment },
    stdio: ['pipe', output === 'stdout' ? 'pipe' : 'ignore', output === 'stderr' ? 'pipe' : 2],
  });
  started.add(child);
  const ended = new Promise((resolve) => {
    child.once('exit', () => {
      started.delete(child);
      resolve();
    });
    child.once('error', resolve);
  });
  const stop = async () => {
    child.stdin.destroy();
    child.kill('SIGTERM');
    await within(15, ended).catch(() => kill(child));
  };
  const said = [];
  const ready = new Promise((resolve, reject) => {
    const lines = createInterface({ input: child[output] });
    lines.on('line', (line) => {
      if (line.includes(sign)) resolve({ startMs: performance.now() - begun, line });
      else if (said.length < 20) said.push(line);
    });
    // The last lines come after the process has ended.
    lines.on('close', () => reject(new Error(`${program} ended: ${said.join('\n')}`)));
  });
  try {
    return { pid: child.pid, ...(await within(seconds, ready)), stop };
  } catch (failure) {
    kill(child);
    throw failure;
  }
}

/** Starts a program that says nothing, and waits until it takes connections on a Unix socket. */
export async function startListening(path, [program, ...args], { environment = {} } = {}) {
  const child = spawn(program, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 2],
  });
  started.add(child);
  let failure = null;
  child.once('error', (reason) => (failure = reason));
  child.once('exit', (code) => {
    started.delete(child);
    failure ??= new Error(`it ended with ${code}`);
  });
  const listens = () =>
    new Promise((resolve) => {
      const client = connect(path, () => resolve(true));
      client.on('error', () => resolve(false));
      client.on('connect', () => client.destroy());
    });
  for (let tries = 0; !(await listens()); tries += 1) {
    if (failure !== null) throw new Error(`${program}: ${failure.message}`);
    if (tries === 1000) throw new Error(`${program} does not listen on ${path}`);
    await sleep(20);
  }
  return { pid: child.pid };
}

/**
 * A child that does one order at a time, sent to it over IPC. `file`: a URL, or in programs/. `launcher`: words before node's
 * own, of a program that becomes what it is told.
 */
export function worker(file, [command, ...words] = []) {
  const own = new URL('../programs/', import.meta.url);
  const script = fileURLToPath(new URL(file, own));
  const options =
    command === undefined ? {} : { execPath: command, execArgv: [...words, process.execPath] };
  const child = fork(script, options);
  started.add(child);
  let settle = () => undefined;
  child.on('message', (answer) => settle(answer));
  child.on('exit', () => {
    started.delete(child);
    settle({ failure: 'it ended' });
  });
  return {
    pid: child.pid,
    order: (order) => {
      const answered = new Promise((resolve, reject) => {
        settle = (answer) => {
          if (answer.failure === undefined) resolve(answer);
          else reject(new Error(`${file}: ${answer.failure}`));
        };
        child.send(order);
      });
      return within((order.seconds ?? 300) + grace, answered);
    },
    end: () => kill(child),
  };
}

/** Ends everything that was started and runs yet, at once. */
export function endAll() {
  for (const child of started) kill(child);
  started.clear();
}

/** Resident memory of a process and of those that it started, bytes: the process itself comes first. */
export function residentOf(pid) {
  return familyOf(pid).map((member) => {
    const status = readFileSync(`/proc/${member}/status`, 'utf8');
    return {
      name: /Name:\s+(.*)/.exec(status)?.[1] ?? '?',
      rss: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024,
    };
  });
}

/** What a process and those that it started have: open files, threads and mapped pieces of memory. */
export function holdingsOf(pid) {
  const family = familyOf(pid);
  const countOf = (of) => family.reduce((sum, member) => sum + of(member), 0);
  return {
    descriptors: countOf((member) => readdirSync(`/proc/${member}/fd`).length),
    threads: countOf((member) => readdirSync(`/proc/${member}/task`).length),
    mappings: countOf((member) => readFileSync(`/proc/${member}/maps`, 'utf8').split('\n').length),
  };
}

function kill(child) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  for (const member of familyOf(child.pid)) {
    try {
      process.kill(member, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
}

function within(seconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`nothing came of it in ${seconds} s`)),
      seconds * 1000,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
