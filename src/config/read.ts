import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { describeFailure } from '../base/errors.ts';
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
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new ConfigError(`${file}: is not a regular file`);
    if (stat.uid !== uid && stat.uid !== 0) {
      throw new ConfigError(`${file}: belongs to uid ${stat.uid}: chown it to uid ${uid} or root`);
    }
    if ((stat.mode & 0o022) !== 0) {
      throw new ConfigError(`${file}: others may write it: chmod go-w ${file}`);
    }
    return parseConfig(readFileSync(fd, 'utf8'), file);
  } finally {
    closeSync(fd);
  }
}
