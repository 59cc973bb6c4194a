// The processes of a run. Each one is bounded in time and ended here, with the children that it made.
import { execFile, fork, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const started = new Set();
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
      if (line.includes(sign)) resolve(performance.now() - begun);
      else if (said.length < 20) said.push(line);
    });
    // The last lines come after the process has ended.
    lines.on('close', () => reject(new Error(`${program} ended: ${said.join('\n')}`)));
  });
  try {
    return { pid: child.pid, startMs: await within(seconds, ready), stop };
  } catch (failure) {
    kill(child);
    throw failure;
  }
}

/** A child that does one order at a time, sent to it over IPC. `file`: beside this one, or a URL. */
export function worker(file) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)));
  started.add(child);
  let settle = () => undefined;
  child.on('message', (answer) => settle(answer));
  child.on('exit', () => {
    started.delete(child);
    settle({ failure: 'it ended' });
  });
  return {
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

/** A process and everything that descends from it. */
function familyOf(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      // The name before it may contain anything, parentheses too.
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // it has ended meanwhile
    }
  }
  const family = [pid];
  for (const member of family) {
    for (const [child, parent] of parents) if (parent === member) family.push(child);
  }
  return family;
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
