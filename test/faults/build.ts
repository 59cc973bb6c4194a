import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Path of the shared library, which is there for as long as the tests run. */
    faultModule: string;
  }
}

const source = fileURLToPath(new URL('fault-module.c', import.meta.url));

/** Compiles the shared library, once for all files of a project; needs a C compiler and libc, nothing else. */
export default function build(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'fault-module-build-'));
  const library = join(folder, 'fault-module.so');
  const warnings = ['-Wall', '-Wextra', '-Werror'];
  // Hidden, so that no name of it stands in for one of the real module's. Never unmapped, since a thread may
  // hang in it.
  const options = ['-shared', '-fPIC', '-O1', '-fvisibility=hidden', '-pthread', '-Wl,-z,nodelete'];
  execFileSync('cc', [...options, ...warnings, '-o', library, source, '-ldl'], {
    stdio: 'inherit',
  });
  project.provide('faultModule', library);
  return () => {
    rmSync(folder, { recursive: true });
  };
}
