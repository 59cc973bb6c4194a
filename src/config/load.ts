import { parse, TomlError } from 'smol-toml';
import type * as z from 'zod';
import { quoted } from '../base/errors.ts';
import { configSchema, knownKeys, refusalOfKind, unavailableKeys, type Config } from './schema.ts';
import { nearest } from './nearest.ts';

/** A configuration that is refused, whole: the message names the file, the key and why. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Parses and checks the text of a configuration file. `file` is for messages. Throws ConfigError. */
export function parseConfig(text: string, file: string): Config {
  const outcome = configSchema.safeParse(parseToml(text, file));
  if (outcome.success) return outcome.data;
  const problems = outcome.error.issues.flatMap(describeIssue);
  throw new ConfigError(problems.map((problem) => `${file}: ${problem}`).join('\n'));
}

/** The configuration without a file: one keyring `default`, backend `file`. */
export function defaultConfig(): Config {
  return configSchema.parse({});
}

function parseToml(text: string, file: string): unknown {
  try {
    // TOML 1.1 has a byte order mark ignored; some editors write one.
    return parse(text.replace(/^\ufeff/, ''));
  } catch (failure) {
    if (!(failure instanceof TomlError)) throw failure;
    const reason = failure.message.split('\n')[0] ?? '';
    throw new ConfigError(`${file}:${failure.line}:${failure.column}: ${reason}`);
  }
}

function describeIssue(issue: z.core.$ZodIssue): readonly string[] {
  const at = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') {
    const message =
      issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    return [at === '' ? message : `${at}: ${message}`];
  }
  return issue.keys.map((key) => {
    const name = at === '' ? key : `${at}.${key}`;
    if (unavailableKeys.includes(key))
      return `${name}: this version does not have it yet; remove it`;
    const refusal = refusalOfKind(issue.path, key);
    if (refusal !== null) return `${name}: ${refusal}`;
    const meant = nearest(key, knownKeys(issue.path));
    return `${name}: unknown key ${quoted(key)}${meant === null ? '' : `, did you mean ${meant}?`}`;
  });
}
