// `npm run build`: bundles src/ into dist/, the client library as a package of its own, and makes the two programs executable. What was built before is
// replaced whole at the end: a file that was renamed in src/ does not live on in the package, and a build that
// fails leaves the old one.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.js';
import { writeClientPackage } from './client-package.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const dist = join(root, 'dist');
const fresh = join(root, `.dist-${process.pid}`);
const old = join(root, `.dist-${process.pid}-old`);
const declarations = join(root, `.dist-${process.pid}-types`);

try {
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', declarations], {
    cwd: root,
    stdio: 'inherit',
  });
  await bundle(root, fresh);
  await writeClientPackage(root, declarations, join(fresh, 'client'));
  for (const program of ['signing-agent.js', 'agentctl.js']) {
    chmodSync(join(fresh, 'bin', program), 0o755);
  }
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
} catch (failure) {
  // tsc and esbuild have said what is wrong; anything else must be said here.
  if (failure.status === undefined && failure.errors === undefined) console.error(failure.message);
  process.exitCode = 1;
} finally {
  for (const leftover of [fresh, old, declarations])
    rmSync(leftover, { recursive: true, force: true });
}
