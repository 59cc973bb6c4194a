// docs/man: the man pages, from the commands and flags of the programs and from the schema of the configuration.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { agentctlPage, agentPage } from './man/commands.js';
import { configurationPage } from './man/configuration.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The text of each page, by the name of its file. */
export function manPages({ agentctl, agent, configuration }, version) {
  return {
    'agentctl.1': agentctlPage(agentctl, version),
    'signing-agent.8': agentPage(agent, version),
    'signing-agent.toml.5': configurationPage(configuration, version),
  };
}

/** What the sources have to tell. */
const entry = `
import * as z from 'zod';
import { daemonProgram } from './src/bin/daemon-program.ts';
import { buildProgram } from './src/cli/program.ts';
import { everyCommand } from './src/cli/programs/all.ts';
import { configSchema } from './src/config/schema.ts';
export const sources = {
  agentctl: buildProgram({}, () => undefined, everyCommand),
  agent: daemonProgram(),
  configuration: z.toJSONSchema(configSchema, { io: 'input' }),
};
`;

async function write() {
  // Two folders below the root, as programs are: that is where they look for the version.
  const folder = mkdtempSync(join(root, '.dist-man-'));
  try {
    const outfile = join(folder, 'sources', 'sources.mjs');
    await build({
      absWorkingDir: root,
      stdin: { contents: entry, resolveDir: root, loader: 'ts' },
      ...{ bundle: true, format: 'esm', platform: 'node', target: 'node20.19', outfile },
      packages: 'external',
      logLevel: 'warning',
    });
    const { sources } = await import(pathToFileURL(outfile).href);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    mkdirSync(join(root, 'docs', 'man'), { recursive: true });
    for (const [name, text] of Object.entries(manPages(sources, version)))
      writeFileSync(join(root, 'docs', 'man', name), text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await write();
