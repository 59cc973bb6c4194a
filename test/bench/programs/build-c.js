import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../machine/processes.js';

/** Compiles the C programs into `folder`; needs a C compiler and libc, nothing else. */
export async function buildC(folder) {
  const [direct, roundtrip, sshLoad, timed, tpmLoop] = await Promise.all(
    ['direct', 'roundtrip', 'ssh-load', 'timed', 'tpm-loop'].map(build),
  );
  return { direct, roundtrip, sshLoad, timed, tpmLoop };

  async function build(name) {
    const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
    const program = join(folder, name);
    const options = ['-O2', '-Wall', '-Wextra', '-pthread', '-o', program, source, '-ldl'];
    await run('cc', options, { seconds: 60 });
    return program;
  }
}
