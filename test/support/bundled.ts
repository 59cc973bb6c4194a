import { buildSync } from 'esbuild';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { native } from '../../scripts/bundle.js';

/** Below node_modules, where packages with native code are found. */
const folder = fileURLToPath(new URL('../../node_modules/.cache/signing-agent', import.meta.url));

/**
 * A program of the tests in one file, with what it takes of src/: many of them are started, and each would compile
 * itself for longer than it works.
 */
export function bundled(program: URL): string {
  const source = fileURLToPath(program);
  const outfile = join(folder, `${process.pid}`, basename(source).replace(/\.[jt]s$/, '.mjs'));
  mkdirSync(folder, { recursive: true });
  buildSync({
    entryPoints: [source],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: [...native],
    banner: {
      js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);",
    },
    logLevel: 'silent',
  });
  return outfile;
}
