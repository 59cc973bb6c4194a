// Runs every check and every test, all of them even where one fails, and counts them: a static check is one, a test is
// one. What did not run counts as failed: a test that was skipped, a file that did not load or is in no project.
// The last line says how many passed and failed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { testOtherNodes } from './node-versions.js';

const bin = (name) => join('node_modules', '.bin', name);
const build = ['build', process.execPath, ['scripts/build.js']];
/** They look at the sources and at what was built, and change neither: they run beside the tests. */
const checks = [
  ['format', bin('prettier'), ['--check', '--log-level', 'warn', '.']],
  ['types', bin('tsc'), ['--noEmit', '-p', 'tsconfig.json']],
  ['lint', bin('eslint'), ['--max-warnings', '0', '.']],
  ['floors', bin('depcruise'), ['--no-progress', 'src']],
  ['unused code', bin('knip'), []],
  ['package', bin('publint'), ['--strict']],
  ['client package', bin('publint'), ['--strict', 'dist/client']],
];
/** The README's first command, as a new user runs it. Last, because it builds again what the tests run. */
const lastChecks = [
  ['quickstart', 'scripts/quickstart', ['--once']],
  ['quickstart on SoftHSM', 'scripts/quickstart', ['--once', '--softhsm']],
];

const begun = performance.now();
const runsAllDevices = process.env.SIGNING_AGENT_DEVICES === 'all';
let passed = 0;
let failed = 0;
/** Which devices were tested, and which were not: said in the end, where it is seen. */
let devices = [];

await runCheck(build);
await Promise.all([runTests(), runInTurn(checks)]);
const others = await testOtherNodes();
passed += others.passed;
failed += others.failed;
await runInTurn(lastChecks);
for (const line of [...others.lines, ...devices]) console.log(line);
console.log(`all done after ${seconds(begun)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function runInTurn(list) {
  for (const check of list) await runCheck(check);
}

async function runCheck([name, command, args]) {
  console.log(`....  ${name}`);
  const started = performance.now();
  const { code, output } = await run(command, args);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${name} (${seconds(started)})`);
  if (code === 0) {
    passed += 1;
  } else {
    failed += 1;
    console.log(output);
  }
}

/** Vitest says each file as it is done, and the failures at its end. */
async function runTests() {
  console.log('....  tests');
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'test-report-'));
  const report = join(folder, 'report.json');
  const deviceReport = join(folder, 'devices.json');
  const { code } = await run(
    bin('vitest'),
    [
      ...['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
      '--reporter=./test/devices/report/reporter.ts',
    ],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, SIGNING_AGENT_BUILT: '1', DEVICE_RESULTS: deviceReport },
    },
  );
  const tests = readReport(report);
  devices = readDevices(deviceReport);
  rmSync(folder, { recursive: true });
  for (const problem of tests.problems) console.log(`FAIL  ${problem}`);
  const failures = tests.failed + tests.problems.length;
  passed += tests.passed;
  failed += failures;
  // An error outside the tests fails the run without failing a test.
  if (code !== 0 && failures === 0) {
    console.log(`FAIL  the test runner ended with ${code}`);
    failed += 1;
  }
  console.log(`${code === 0 && failures === 0 ? 'ok  ' : 'FAIL'}  tests (${seconds(started)})`);
}

/** How many passed and failed, and in words what else is a failure. */
function readReport(path) {
  const counts = { passed: 0, failed: 0, problems: [] };
  const seen = new Set();
  try {
    for (const { name, status, assertionResults } of JSON.parse(readFileSync(path, 'utf8'))
      .testResults) {
      const file = relative(process.cwd(), name);
      seen.add(file);
      let failures = 0;
      for (const test of assertionResults) {
        if (test.status === 'passed') {
          counts.passed += 1;
        } else {
          failures += 1;
          counts.failed += 1;
          if (test.status !== 'failed')
            console.log(`FAIL  ${file}: did not run (${test.status}): ${test.fullName}`);
        }
      }
      if (status !== 'passed' && failures === 0)
        counts.problems.push(`${file} did not load, or did not end well`);
      else if (assertionResults.length === 0) counts.problems.push(`${file} has no test`);
    }
  } catch (failure) {
    counts.problems.push(`the test report cannot be read: ${failure.message}`);
    return counts;
  }
  for (const file of testFiles()) {
    if (!seen.has(file))
      counts.problems.push(`${file} did not run: is its folder a project in vitest.config.ts?`);
  }
  return counts;
}

function readDevices(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).summary;
  } catch (failure) {
    failed += 1;
    return [`FAIL  which devices ran cannot be read: ${failure.message}`];
  }
}

function testFiles() {
  return (
    readdirSync('test', { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      // Those want roots of other releases: `scripts/test --devices=all`.
      .filter((name) => runsAllDevices || !name.startsWith(join('devices', 'newer')))
      .map((name) => join('test', name))
  );
}

function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const output = [];
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    child.on('error', (failure) => resolve({ code: 1, output: String(failure) }));
    child.on('close', (code) => resolve({ code, output: Buffer.concat(output).toString() }));
  });
}

function seconds(since) {
  return `${Math.round((performance.now() - since) / 1000)} s`;
}
