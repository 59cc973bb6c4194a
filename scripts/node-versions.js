// Runs the contract and wire tests and the quickstart on the newest release of every Node.js that people run, beside
// the one of this machine. Each of them that did not run counts as failed, and is named.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const majors = [22, 24, 26];
const projects = ['contract', 'wire'];
/** Processors that one Node's tests are given, and workers on each: most of a test's time is spent waiting. */
const processorsPerNode = 2;
const workersPerProcessor = 2;
/** An installation or a test run that takes longer is given up, milliseconds. */
const patience = 15 * 60_000;

/**
 * Resolves to `{ passed, failed, lines }`: how many tests passed and failed, a quickstart being one, and what is to be
 * said of each Node at the very end. `dist/` must be built; it is built again.
 */
export async function testOtherNodes() {
  const processors = availableParallelism();
  const nodes = await Promise.all(majors.map(install));
  const lanes = Math.max(1, Math.floor(processors / processorsPerNode));
  const workers = Math.max(1, Math.floor((workersPerProcessor * processors) / lanes));
  const results = await inLanes(lanes, nodes, (node) => testOn(node, workers));
  // One after the other: each builds what the others would run.
  for (const [at, node] of nodes.entries()) await quickstartOn(node, results[at]);
  const sum = (name) => results.reduce((total, result) => total + result[name], 0);
  return {
    passed: sum('passed'),
    failed: sum('failed'),
    lines: results.map(({ node, passed, failed, faults }) => {
      const what = node.version === null ? 'did NOT run' : `${passed} passed, ${failed} failed`;
      const why = faults.length === 0 ? '' : `: ${faults.join('; ')}`;
      return `Node.js ${node.version ?? node.major}: ${what}${why}`;
    }),
  };
}

/**
 * The newest release of a major version, in a folder of this machine's user outside the checkout. npm has them as
 * packages; nothing of them is run while they are installed.
 */
async function install(major) {
  const folder = join(cacheFolder(), String(major));
  const name = `node-${process.platform}-${process.arch}`;
  const bin = join(folder, 'node_modules', name, 'bin');
  let fault = null;
  try {
    mkdirSync(folder, { recursive: true });
    // Else npm looks for one above, and installs there.
    writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
    const flags = ['--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
    await capture('npm', ['install', ...flags, `${name}@${major}`], { cwd: folder });
  } catch (failure) {
    fault = `npm could not install ${name}@${major}: ${reasonOf(failure.stderr || failure.message)}`;
  }
  try {
    const { stdout } = await capture(join(bin, 'node'), ['--version']);
    const version = stdout.trim().replace(/^v/, '');
    if (version.startsWith(`${major}.`)) return { major, version, bin, fault };
    return { major, version: null, bin, fault: `what is installed is version ${version}` };
  } catch (failure) {
    return { major, version: null, bin, fault: fault ?? lastLine(failure.message) };
  }
}

/** Some tests run programs as another user, who has to reach them too: root's own home is closed. */
function cacheFolder() {
  const own = process.env.SIGNING_AGENT_NODES;
  if (own !== undefined && own !== '') return own;
  if (process.getuid() === 0) return '/var/cache/signing-agent-nodes';
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'signing-agent-nodes');
}

async function testOn(node, workers) {
  const result = { node, passed: 0, failed: 0, faults: [] };
  // What is there from before is tested all the same, but it may not be the newest.
  if (node.fault !== null) fail(result, node.fault);
  if (node.version === null) return result;
  const folder = mkdtempSync(join(tmpdir(), 'node-report-'));
  const report = join(folder, 'report.json');
  const flags = projects.flatMap((project) => ['--project', project]);
  const { code, output } = await runOn(node, 'node', [
    join('node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...flags,
    `--maxWorkers=${workers}`,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  const counts = readReport(report);
  rmSync(folder, { recursive: true });
  result.passed += counts.passed;
  result.failed += counts.failed;
  if (counts.passed === 0) fail(result, 'no test ran');
  else if (code !== 0 && counts.failed === 0) fail(result, 'an error outside the tests');
  if (counts.skipped > 0) fail(result, `${counts.skipped} tests did not run`);
  console.log(`${result.failed === 0 ? 'ok  ' : 'FAIL'}  tests on Node.js ${node.version}`);
  if (result.failed > 0) console.log(output);
  return result;
}

async function quickstartOn(node, result) {
  if (node.version === null) return;
  const { code, output } = await runOn(node, 'scripts/quickstart', ['--once']);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  quickstart on Node.js ${node.version}`);
  if (code === 0) {
    result.passed += 1;
    return;
  }
  fail(result, 'the quickstart failed');
  console.log(output);
}

function fail(result, fault) {
  result.failed += 1;
  result.faults.push(fault);
}

/** Every `node` that the command starts is that one. */
function runOn({ bin }, command, args) {
  const env = {
    ...process.env,
    PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
    NO_COLOR: '1',
    SIGNING_AGENT_BUILT: '1',
  };
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: patience,
    });
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', (failure) => resolve({ code: 1, output: String(failure) }));
    child.on('close', (code) => resolve({ code, output: Buffer.concat(output).toString() }));
  });
}

function capture(command, args, options = {}) {
  return promisify(execFile)(command, args, { timeout: patience, ...options });
}

function readReport(path) {
  try {
    const counts = JSON.parse(readFileSync(path, 'utf8'));
    return {
      passed: counts.numPassedTests,
      failed: counts.numFailedTests,
      skipped: counts.numPendingTests + counts.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

/** npm ends with where its log is, which tells nobody what happened. */
function reasonOf(text) {
  return lastLine(text.replaceAll(/^npm error A complete log.*$/gm, ''));
}

function lastLine(text) {
  return text.trim().split('\n').at(-1) ?? '';
}

/** Does something for each, so many at a time; the results are in the order of the items. */
async function inLanes(lanes, items, work) {
  const results = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const at = next;
      next += 1;
      results[at] = await work(items[at]);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}
