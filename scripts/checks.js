// Runs every check and every test, all of them even where one fails, and counts them:
// a static check is one, a test is one. The last line says how many passed and failed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bin = (name) => join('node_modules', '.bin', name);
const checks = [
  ['format', bin('prettier'), ['--check', '--log-level', 'warn', '.']],
  ['lint', bin('eslint'), ['--max-warnings', '0', '.']],
  ['types', bin('tsc'), ['--noEmit', '-p', 'tsconfig.json']],
  ['unused code', bin('knip'), []],
  ['build', process.execPath, ['scripts/build.js']],
  ['package', bin('publint'), ['--strict']],
];

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

// The README's first command, as a new user runs it. Last, because it builds again what the tests run.
const lastChecks = [
  ['quickstart', 'scripts/quickstart', ['--once']],
  ['quickstart on SoftHSM', 'scripts/quickstart', ['--once', '--softhsm']],
];

let passed = 0;
let failed = 0;

async function runChecks(list) {
  for (const [name, command, args] of list) {
    const { code, output } = await run(command, args);
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${name}`);
    if (code === 0) {
      passed += 1;
    } else {
      failed += 1;
      console.log(output);
    }
  }
}

await runChecks(checks);

const folder = mkdtempSync(join(tmpdir(), 'test-report-'));
const report = join(folder, 'report.json');
const deviceReport = join(folder, 'devices.json');
const { code } = await run(
  bin('vitest'),
  [
    ...['run', '--reporter=dot', '--reporter=json', `--outputFile.json=${report}`],
    '--reporter=./test/devices/report/reporter.ts',
  ],
  {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, SIGNING_AGENT_BUILT: '1', DEVICE_RESULTS: deviceReport },
  },
);
const tests = readReport(report);
const devices = readDevices(deviceReport);
rmSync(folder, { recursive: true });
passed += tests.passed;
failed += tests.failed;
// A file that does not load, or an error outside the tests, fails the run without failing a test.
if (code !== 0 && tests.failed === 0) failed += 1;
if (tests.skipped > 0) {
  console.log(`FAIL  ${tests.skipped} tests did not run`);
  failed += 1;
}
await runChecks(lastChecks);
for (const line of devices) console.log(line);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** Which modules were tested, and which were not: said in the end, where it is seen. */
function readDevices(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).summary;
  } catch (failure) {
    failed += 1;
    return [`FAIL  which devices ran cannot be read: ${failure.message}`];
  }
}

function readReport(path) {
  try {
    const counts = JSON.parse(readFileSync(path, 'utf8'));
    return {
      passed: counts.numPassedTests,
      failed: counts.numFailedTests,
      skipped: counts.numPendingTests + counts.numTodoTests,
    };
  } catch (failure) {
    console.log(`the test report cannot be read: ${failure.message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
