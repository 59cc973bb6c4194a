import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

const run = promisify(execFile);
const source = fileURLToPath(new URL('fault-module.c', import.meta.url));

let built: Promise<Buffer> | null = null;

/**
 * The shared library, compiled once a process in half a second; needs a C compiler and libc, nothing else. Kept
 * in memory: test processes are ended without notice, and a built file would stay behind.
 */
export function faultModuleLibrary(): Promise<Buffer> {
  built ??= compile();
  return built;
}

async function compile(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'fault-module-build-'));
  try {
    const library = join(folder, 'fault-module.so');
    const warnings = ['-Wall', '-Wextra', '-Werror'];
    // Hidden, so that no name of it stands in for one of the real module's. Never unmapped, since a thread may
    // hang in it.
    const options = [
      '-shared',
      '-fPIC',
      '-O1',
      '-fvisibility=hidden',
      '-pthread',
      '-Wl,-z,nodelete',
    ];
    await run('cc', [...options, ...warnings, '-o', library, source, '-ldl']);
    return await readFile(library);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
