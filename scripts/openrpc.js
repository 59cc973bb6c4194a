// docs/openrpc.json: what `rpc.discover` answers, from the sources as they are. The tables of docs/protocol.md are made
// from it: `node scripts/protocol-page.js`.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { native } from './bundle.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'openrpc-'));
try {
  const outfile = join(folder, 'openrpc.mjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['src/request/discovery/openrpc.ts'],
    ...{ bundle: true, format: 'esm', platform: 'node', target: 'node20.19', outfile },
    external: native,
    logLevel: 'warning',
  });
  const { openRpcDocument } = await import(pathToFileURL(outfile).href);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const text = `${JSON.stringify(await openRpcDocument(version, async () => undefined), null, 2)}\n`;
  writeFileSync(join(root, 'docs', 'openrpc.json'), text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
