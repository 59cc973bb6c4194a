// `npm run build`: compiles src/ into dist/ and makes the two programs executable.
// An emptied dist/ first: a file that was renamed in src/ must not live on in the package.
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

rmSync(join(root, 'dist'), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], {
  cwd: root,
  stdio: 'inherit',
});
for (const program of ['signing-agent.js', 'agentctl.js']) {
  chmodSync(join(root, 'dist', 'bin', program), 0o755);
}
