// `npm run bench -- [--rounds N] [--seconds S] [--only PART,GROUP] [--json [FILE]] [--compare FILE]`: how fast the agent
// signs and what it takes, compared with programs that do the same with nothing around them. All in one run and in turn,
// a round has every contestant once, so that a machine that slows down slows all alike. Prints tables of medians, or one
// JSON document, and at the end what was to be reached. Measures; never judges. `--compare` takes a document of an
// earlier run. `--signatures` and `--minutes` bound the part `time`.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from './agents.js';
import { readFlags } from './flags.js';
import { endAll } from './machine/processes.js';
import { look, watch } from './machine/quiet.js';
import { groups, parts } from './parts.js';
import { compare, compareLines } from './report/compare.js';
import { judge, targetLines } from './report/targets.js';
import { openStage } from './stage.js';

const progress = (text) => process.stderr.write(`${text}\n`);
const { json, jsonFile, only, rounds, seconds, ...flags } = flagsOrExit();
const earlier = flags.compare === null ? null : earlierOrExit(flags.compare);
const folder = mkdtempSync(join(tmpdir(), 'signing-agent-bench-'));
process.on('exit', () => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

try {
  const atStart = await look();
  const warnings = atStart.map((text) => `at the start: ${text}`);
  for (const text of warnings) progress(`not quiet, ${text}`);
  const watched = watch();
  const { figures, results } = await measure();
  warnings.push(...watched().map((text) => `while it ran: ${text}`));
  const machine = { processors: availableParallelism(), processor: cpus()[0]?.model ?? 'unknown' };
  const about = {
    date: new Date().toISOString(),
    node: process.version,
    ...machine,
    rounds,
    seconds,
  };
  const judged = judge(figures, machine);
  const document = { ...about, not_quiet: warnings, ...figures, targets: judged, results };
  if (jsonFile !== null) writeFileSync(jsonFile, `${JSON.stringify(document, null, 2)}\n`);
  if (json) console.log(JSON.stringify(document, null, 2));
  else console.log(text(document, figures));
  process.exitCode = 0;
} catch (failure) {
  progress(`bench: ${failure.message}`);
  process.exitCode = 1;
}
// Nothing that was started must keep this process.
process.stdout.write('', () => process.exit());

async function measure() {
  const stage = openStage({ folder, seconds, ...flags, progress });
  const prepared = {};
  for (const name of only) prepared[name] = await parts[name].prepare(stage);
  const runs = only.filter((name) => prepared[name].unavailable === undefined);
  const results = Object.fromEntries(
    runs.map((name) => [
      name,
      Object.fromEntries(Object.keys(prepared[name].contestants).map((one) => [one, []])),
    ]),
  );
  for (let round = 1; round <= rounds; round += 1) {
    progress(`round ${round} of ${rounds}`);
    for (const name of runs) {
      for (const [one, run] of Object.entries(prepared[name].contestants)) {
        results[name][one].push(await run());
      }
    }
  }
  const figures = {};
  for (const name of only) {
    const { unavailable } = prepared[name];
    figures[name] =
      unavailable === undefined ? await prepared[name].figures(results[name]) : { unavailable };
  }
  return { figures, results };
}

function text({ date, node, processors, processor, not_quiet, targets, results }, figures) {
  const medians = `medians of ${rounds} round${rounds === 1 ? '' : 's'} of ${seconds} s`;
  const tables = only.map((name) => {
    const { unavailable } = figures[name];
    return unavailable === undefined
      ? parts[name].table(figures[name]).join('\n')
      : `${name}: not measured, ${unavailable}`;
  });
  const compared =
    earlier === null ? [] : [compareLines(compare(earlier.results, results)).join('\n')];
  const summary = ['targets', ...targetLines(targets)].join('\n');
  const noise =
    not_quiet.length === 0 ? [] : [['the machine was not quiet', ...not_quiet].join('\n  ')];
  return [
    `${date}, ${node}, ${processors} processors (${processor}); ${medians}`,
    ...[...tables, ...compared, summary, ...noise],
  ].join('\n\n');
}

function flagsOrExit() {
  try {
    const read = readFlags(process.argv.slice(2), Object.keys(parts), groups);
    if (existsSync(program('signing-agent'))) return read;
    throw new Error('nothing to measure: run `npm run build` first');
  } catch (failure) {
    return usage(failure.message);
  }
}

function earlierOrExit(path) {
  try {
    const document = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof document.results === 'object' && document.results !== null) return document;
    throw new Error('it has no `results`: it is no document of --json');
  } catch (failure) {
    return usage(`--compare ${path}: ${failure.message}`);
  }
}

function usage(message) {
  console.error(message);
  process.exit(2);
}
