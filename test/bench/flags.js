import { parseArgs } from 'node:util';

const options = {
  json: { type: 'boolean', default: false },
  compare: { type: 'string' },
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '2' },
  only: { type: 'string', default: 'speed' },
  signatures: { type: 'string', default: '5000000' },
  minutes: { type: 'string', default: '10' },
};

/**
 * The command line as numbers and names of parts. `--json` prints one document, `--json FILE` writes it there and prints
 * the tables. `groups`: names that stand for several parts. Throws an error that says what a flag takes.
 */
export function readFlags(args, parts, groups) {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  if (positionals.length > (values.json ? 1 : 0)) {
    throw new Error(`${positionals.at(-1)}: only --json takes a file`);
  }
  const only = values.only.split(',').flatMap((name) => groups[name] ?? [name]);
  const unknown = only.find((name) => !parts.includes(name));
  if (unknown !== undefined) {
    throw new Error(
      `--only ${unknown}: there are ${parts.join(', ')}, and ${Object.keys(groups).join(', ')} of them`,
    );
  }
  return {
    json: values.json && positionals.length === 0,
    jsonFile: positionals[0] ?? null,
    compare: values.compare ?? null,
    rounds: number(values, 'rounds', { least: 1, most: 100, whole: true }),
    seconds: number(values, 'seconds', { least: 0.1, most: 60 }),
    signatures: number(values, 'signatures', { least: 1000, most: 1e9, whole: true }),
    minutes: number(values, 'minutes', { least: 0.1, most: 600 }),
    only: [...new Set(only)],
  };
}

function number(values, name, { least, most, whole = false }) {
  const value = Number(values[name]);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  throw new Error(`--${name} takes ${least} to ${most}${whole ? ', a whole number' : ''}`);
}
