import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { describeFailure } from '../base/errors.ts';
import { requireTrustedPath } from '../files/trusted-path.ts';
import { ConfigError, defaultConfig, parseConfig } from './load.ts';
import type { Config } from './schema.ts';

/**
 * Reads the configuration; without a file, the defaults. The file names the code that is loaded (a token's
 * module), so one that others may write is refused. Throws ConfigError.
 */
export function readConfig(file: string | undefined, uid: number): Config {
  if (file === undefined) return defaultConfig();
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (failure) {
    throw new ConfigError(`${file}: ${describeFailure(failure)}`);
  }
  try {
    const opened = fstatSync(fd);
    if (!opened.isFile()) throw new ConfigError(`${file}: is not a regular file`);
    refuseUntrusted(file, uid);
    // What was looked at is what was opened: until then the name may have been another's, in a sticky directory.
    const { dev, ino } = statSync(file);
    if (dev !== opened.dev || ino !== opened.ino) {
      throw new ConfigError(`${file}: was replaced while it was read: start again`);
    }
    return parseConfig(readFileSync(fd, 'utf8'), file);
  } finally {
    closeSync(fd);
  }
}

function refuseUntrusted(file: string, uid: number): void {
  try {
    requireTrustedPath(file, uid);
  } catch (failure) {
    throw new ConfigError(`${file}: ${describeFailure(failure)}`, { cause: failure });
  }
}
