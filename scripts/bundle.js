// What of src/ is built into dist/: each program and the client library, with the packages that they use inside.
// Loading hundreds of files costs a program more than its work: a third of an agent's start, half of `agentctl sign`.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Loaded where they lie: native code, and what requires it. */
export const native = ['@photostructure/sqlite', 'graphene-pk11', 'koffi', 'pkcs11js'];

const entries = {
  'bin/agentctl': 'src/bin/agentctl.ts',
  'bin/module-probe': 'src/bin/module-probe.ts',
  'bin/signing-agent': 'src/bin/signing-agent.ts',
  'bin/vault-host': 'src/bin/vault-host.ts',
  'client/index': 'src/client/index.ts',
};

/** commander loads child_process for commands that are programs of their own; there are none here. */
const withoutChildProcess = {
  name: 'commander-without-child-process',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[\\/]node_modules[\\/]commander[\\/]/.test(importer)
        ? { path: 'child_process', namespace: 'unused' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** Writes the programs, the client and the licences of what is in them into that folder. */
export async function bundle(root, outdir) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: native,
    // Names stay as they are: stacks in the log are read by people.
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: false,
    legalComments: 'none',
    // CommonJS packages inside ask for Node's own modules.
    banner: {
      js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);",
    },
    plugins: [withoutChildProcess],
    metafile: true,
    logLevel: 'warning',
  });
  writeFileSync(join(outdir, 'LICENSES.txt'), licences(root, metafile));
}

/** The terms of every package that a bundle has something of. */
function licences(root, { outputs }) {
  const files = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [path] : [],
    ),
  );
  const packages = new Set(
    files.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const texts = [...packages].sort().map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(root, folder, 'package.json'), 'utf8'),
    );
    return `${name} ${version} (${license})\n\n${licenceIn(join(root, folder), name)}`;
  });
  return `The programs have these packages inside.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

function licenceIn(folder, name) {
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
  if (file === undefined || !existsSync(join(folder, file)))
    throw new Error(`the package ${name} has no licence text to ship`);
  return readFileSync(join(folder, file), 'utf8').trim() + '\n';
}
