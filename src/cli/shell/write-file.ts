import { randomBytes } from 'node:crypto';
import { open, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describeFailure, errnoName } from '../../base/errors.ts';
import { CommandError } from './failure.ts';

/**
 * Writes a file in one step: whoever reads the path sees the old file or the whole new one, also after a
 * power cut. Mode 0644 as far as the umask allows. A device or a pipe is written to, not replaced.
 */
export async function writeWholeFile(path: string, bytes: Uint8Array | string): Promise<void> {
  try {
    const target = await replaceable(path);
    if (target === null) await writeFile(path, bytes);
    else await replace(target, bytes);
  } catch (error) {
    throw new CommandError(`cannot write ${path}: ${describeFailure(error)}`, { cause: error });
  }
}

/** The file to replace, links followed; null where the path is neither a regular file nor free. */
async function replaceable(path: string): Promise<string | null> {
  try {
    if (!(await stat(path)).isFile()) return null;
    return await realpath(path);
  } catch (error) {
    if (errnoName(error) === 'ENOENT') return path;
    throw error;
  }
}

async function replace(path: string, bytes: Uint8Array | string): Promise<void> {
  const name = `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`;
  const temporary = join(dirname(path), name);
  const file = await open(temporary, 'wx', 0o644);
  try {
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
}
