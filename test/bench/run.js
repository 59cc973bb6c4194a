// `npm run bench [-- --json] [-- --rounds N] [-- --seconds S]`: how fast the agent signs, held against loops that
// sign with nothing around them, all in one run and in turn, so that a machine that slows down slows all alike.
// Prints a table of medians, or one JSON document. Measures; never judges.
import { execFileSync, fork, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
if (!(rounds >= 1 && rounds <= 100 && seconds >= 0.1 && seconds <= 60)) {
  console.error('--rounds takes 1 to 100, --seconds 0.1 to 60');
  process.exit(2);
}
const program = (name) => join(root, 'dist', 'bin', `${name}.js`);
if (!existsSync(program('signing-agent'))) {
  console.error('nothing to measure: run `npm run build` first');
  process.exit(2);
}

const progress = (text) => process.stderr.write(`${text}\n`);
const folder = mkdtempSync(join(tmpdir(), 'signing-agent-bench-'));
const children = [];

try {
  const report = await measure();
  console.log(flags.json ? JSON.stringify(report, null, 2) : tableOf(report));
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

async function measure() {
  progress('making a SoftHSM token');
  const token = makeToken();
  const loopsOn = async (threads) => {
    const loops = worker('direct.js', {
      ...token.environment,
      BENCH_MODULE: token.modulePath,
      BENCH_PIN_FILE: token.pinFile,
      UV_THREADPOOL_SIZE: String(threads),
    });
    await loops.order({ loop: 'crypto', seconds: 0.1 }); // logged in before anyone else opens the token
    return loops;
  };
  const direct = await loopsOn(8);
  const fewThreads = await loopsOn(cpus().length);
  const load = worker('load.js', {});
  progress('starting the agent');
  const agent = await startAgent(token);

  const loads = ['file', 'softhsm'].flatMap((keyring) =>
    [
      [1, 1],
      [1, 16],
      [8, 1],
      [8, 16],
    ].map(([connections, depth]) => ({ keyring, connections, depth })),
  );
  const cases = [
    {
      name: 'node:crypto, one thread',
      group: 'file',
      run: () => direct.order({ loop: 'crypto', seconds }),
    },
    {
      name: 'PKCS#11 loop, one thread',
      group: 'softhsm',
      run: () => direct.order({ loop: 'pkcs11', seconds }),
    },
    ...[2, 4, 8].map((sessions) => ({
      name: `PKCS#11 loop, ${sessions} sessions`,
      group: 'softhsm',
      run: () => direct.order({ loop: 'pkcs11Threads', sessions, seconds }),
    })),
    {
      name: `PKCS#11 loop, 8 sessions, ${cpus().length} threads`,
      group: 'softhsm',
      run: () => fewThreads.order({ loop: 'pkcs11Threads', sessions: 8, seconds }),
    },
    ...loads.map(({ keyring, connections, depth }) => ({
      name: `agent, ${connections} connection${connections === 1 ? '' : 's'}, depth ${depth}`,
      group: keyring,
      agent: true,
      run: () => load.order({ socket: agent.socket, keyring, connections, depth, seconds }),
    })),
  ].map((one) => ({ ...one, results: [] }));
  for (let round = 1; round <= rounds; round += 1) {
    progress(`round ${round} of ${rounds}`);
    for (const one of cases) one.results.push(await one.run());
  }

  progress('200,000 signatures for the memory');
  const memory = [{ signatures: 0, rss: agent.rss() }];
  for (let made = 0; made < 200_000; made += 40_000) {
    await load.order({
      socket: agent.socket,
      keyring: 'file',
      connections: 8,
      depth: 16,
      count: 40_000,
    });
    memory.push({ signatures: made + 40_000, rss: agent.rss() });
  }
  progress('whole processes');
  const processes = wholeProcesses(agent.socket);
  agent.stop();
  return { ...about(), rounds, seconds, throughput: summarise(cases), memory, processes };
}

function about() {
  return {
    node: process.version,
    processors: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
  };
}

/** Ratios are taken round by round against the best loop of the same round, then their median. */
function summarise(cases) {
  const perSecond = (one, round) => one.results[round].perSecond;
  const best = (group, round) =>
    Math.max(...cases.filter((c) => c.group === group && !c.agent).map((c) => perSecond(c, round)));
  return cases.map((one) => ({
    keyring: one.group,
    name: one.name,
    per_second: median(one.results.map((result) => result.perSecond)),
    ratio_to_best_loop: median(
      one.results.map((result, round) => result.perSecond / best(one.group, round)),
    ),
    ...(one.agent
      ? {
          median_ms: median(one.results.map((result) => result.median)),
          p99_ms: median(one.results.map((result) => result.p99)),
        }
      : {}),
  }));
}

function wholeProcesses(socket) {
  const message = join(folder, 'message');
  writeFileSync(message, 'hello');
  const commands = {
    'node -e 0': ['-e', '0'],
    'agentctl sign': [
      program('agentctl'),
      '--socket',
      socket,
      '--keyring',
      'file',
      'sign',
      message,
    ],
    'agentctl status': [program('agentctl'), '--socket', socket, 'status'],
    'agentctl --help': [program('agentctl'), '--help'],
  };
  const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
  for (let run = 0; run < 15; run += 1) {
    for (const [name, args] of Object.entries(commands)) {
      const started = performance.now();
      execFileSync(process.execPath, args, { stdio: 'ignore' });
      if (run > 0) times[name].push(performance.now() - started); // the first warms the caches
    }
  }
  const base = times['node -e 0'];
  return Object.entries(times).map(([name, taken]) => ({
    name,
    median_ms: median(taken),
    ratio_to_node: median(taken.map((ms, run) => ms / base[run])),
  }));
}

function makeToken() {
  const pinFile = join(folder, 'token', 'pin');
  const lines = execFileSync(
    join(root, 'softhsm', 'make-token'),
    ['--dir', join(folder, 'token')],
    {
      encoding: 'utf8',
    },
  );
  const uri = /pkcs11:\S+/.exec(lines)?.[0].replace(/["']$/, '');
  const modulePath = /module-path=([^&\s"']+)/.exec(uri ?? '')?.[1];
  if (uri === undefined || modulePath === undefined) throw new Error(`no URI in: ${lines}`);
  return {
    uri,
    modulePath: decodeURIComponent(modulePath),
    pinFile,
    environment: { SOFTHSM2_CONF: join(folder, 'token', 'softhsm2.conf') },
  };
}

async function startAgent(token) {
  const config = join(folder, 'agent.toml');
  const socket = join(folder, 'agent.sock');
  writeFileSync(
    config,
    `state_dir = "${join(folder, 'state')}"\n[socket]\npath = "${socket}"\n[log]\nlevel = "info"\n` +
      `[keyrings.file]\nbackend = "file"\n[keyrings.softhsm]\nbackend = "pkcs11"\nuri = "${token.uri}"\n`,
    { mode: 0o600 },
  );
  const child = spawn(process.execPath, [program('signing-agent'), '--config', config], {
    env: { ...process.env, ...token.environment },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stderr })) {
    if (line.includes('"msg":"ready"')) break;
    if (!line.startsWith('{')) progress(line);
  }
  child.stderr.resume();
  if (child.exitCode !== null) throw new Error('the agent did not start');
  return {
    socket,
    stop: () => child.kill('SIGTERM'),
    /** Resident memory, bytes. */
    rss: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
    },
  };
}

/** A child that does one order at a time. */
function worker(file, environment) {
  const child = fork(join(here, file), { env: { ...process.env, ...environment } });
  children.push(child);
  let settle = () => undefined;
  child.on('message', (answer) => settle(answer));
  child.on('exit', () => settle({ failure: 'it ended' }));
  return {
    order: (order) =>
      new Promise((resolve, reject) => {
        settle = (answer) => {
          if (answer.failure === undefined) resolve(answer);
          else reject(new Error(`${file}: ${answer.failure}`));
        };
        child.send(order);
      }),
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function tableOf({ node, processors, processor, throughput, memory, processes }) {
  const row = (...cells) =>
    `${cells[0].padEnd(38)}${cells
      .slice(1)
      .map((cell) => String(cell).padStart(14))
      .join('')}`;
  const fixed = (value, digits) => (value === undefined ? '' : value.toFixed(digits));
  const lines = [
    `${node}, ${processors} processors (${processor}); medians of ${rounds} rounds`,
    '',
  ];
  for (const keyring of ['file', 'softhsm']) {
    lines.push(row(`${keyring} keyring`, 'sign/s', 'of best', 'median ms', 'p99 ms'));
    for (const one of throughput.filter((entry) => entry.keyring === keyring)) {
      lines.push(
        row(
          `  ${one.name}`,
          fixed(one.per_second, 0),
          fixed(one.ratio_to_best_loop, 2),
          fixed(one.median_ms, 2),
          fixed(one.p99_ms, 2),
        ),
      );
    }
    lines.push('');
  }
  lines.push(row('whole processes', 'ms', 'of node -e 0'));
  for (const one of processes) {
    lines.push(row(`  ${one.name}`, fixed(one.median_ms, 1), fixed(one.ratio_to_node, 2)));
  }
  lines.push('', row('memory of the agent', 'MB RSS'));
  for (const { signatures, rss } of memory) {
    lines.push(row(`  after ${signatures} signatures`, fixed(rss / 1e6, 1)));
  }
  return lines.join('\n');
}
