// `npm run bench [-- --rounds N] [-- --seconds S] [-- --only PART,PART] [-- --json]`: how fast the agent signs and
// what it takes, compared with programs that do the same with nothing around them. All in one run and in turn, a
// round has every contestant once, so that a machine that slows down slows all alike. Prints tables of medians,
// or one JSON document. Measures; never judges.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { program } from './agents.js';
import { audit } from './audit.js';
import { connections } from './connections.js';
import { keys } from './keys.js';
import { latency } from './latency.js';
import { memory } from './memory.js';
import { endAll } from './processes.js';
import { ssh } from './ssh.js';
import { openStage } from './stage.js';
import { file, softhsm } from './throughput.js';
import { verification } from './verification.js';
import { processes } from './whole-processes.js';

/**
 * Each part is prepared once and answers {contestants, figures}: functions by name that every round calls, and
 * a function that makes figures of their results, [round] by name. `table` makes lines of the figures.
 */
const parts = {
  file,
  softhsm,
  verification,
  ssh,
  audit,
  latency,
  keys,
  connections,
  processes,
  memory,
};

const progress = (text) => process.stderr.write(`${text}\n`);
const { rounds, seconds, only, json } = flags();
const folder = mkdtempSync(join(tmpdir(), 'signing-agent-bench-'));
process.on('exit', () => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

try {
  const figures = await measure();
  const { version } = process;
  const processor = cpus()[0]?.model ?? 'unknown';
  const about = { node: version, processors: cpus().length, processor, rounds, seconds };
  if (json) console.log(JSON.stringify({ ...about, ...figures }, null, 2));
  else console.log(text(about, figures));
  process.exitCode = 0;
} catch (failure) {
  progress(`bench: ${failure.message}`);
  process.exitCode = 1;
}
// Nothing that was started must keep this process.
process.stdout.write('', () => process.exit());

async function measure() {
  const stage = openStage({ folder, seconds, progress });
  const prepared = {};
  for (const name of only) prepared[name] = await parts[name].prepare(stage);
  const results = Object.fromEntries(
    only.map((name) => [
      name,
      Object.fromEntries(Object.keys(prepared[name].contestants).map((one) => [one, []])),
    ]),
  );
  for (let round = 1; round <= rounds; round += 1) {
    progress(`round ${round} of ${rounds}`);
    for (const name of only) {
      for (const [one, run] of Object.entries(prepared[name].contestants)) {
        results[name][one].push(await run());
      }
    }
  }
  const figures = {};
  for (const name of only) figures[name] = await prepared[name].figures(results[name]);
  return figures;
}

function text({ node, processors, processor }, figures) {
  const tables = only.map((name) => parts[name].table(figures[name]).join('\n'));
  const medians = `medians of ${rounds} round${rounds === 1 ? '' : 's'} of ${seconds} s`;
  return [`${node}, ${processors} processors (${processor}); ${medians}`, ...tables].join('\n\n');
}

function flags() {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        rounds: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '2' },
        only: { type: 'string', default: Object.keys(parts).join(',') },
      },
    });
    const given = {
      json: values.json,
      rounds: Number(values.rounds),
      seconds: Number(values.seconds),
      only: values.only.split(','),
    };
    if (!(Number.isInteger(given.rounds) && given.rounds >= 1 && given.rounds <= 100)) {
      throw new Error('--rounds takes 1 to 100');
    }
    if (!(given.seconds >= 0.1 && given.seconds <= 60)) {
      throw new Error('--seconds takes 0.1 to 60');
    }
    const unknown = given.only.find((name) => !Object.hasOwn(parts, name));
    if (unknown !== undefined) {
      throw new Error(`--only ${unknown}: there are ${Object.keys(parts).join(', ')}`);
    }
    if (!existsSync(program('signing-agent'))) {
      throw new Error('nothing to measure: run `npm run build` first');
    }
    return given;
  } catch (failure) {
    console.error(failure.message);
    process.exit(2);
  }
}
