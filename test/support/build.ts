import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Tests of the built programs test what the sources say now. `scripts/test` has built them already. */
export default function build(): void {
  if (process.env['SIGNING_AGENT_BUILT'] === '1') return;
  const script = fileURLToPath(new URL('../../scripts/build.js', import.meta.url));
  execFileSync(process.execPath, [script], { stdio: 'inherit' });
  process.env['SIGNING_AGENT_BUILT'] = '1'; // for the other projects of this run
}
