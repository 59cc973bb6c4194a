// What of src/ is built into dist/: each program, with the packages that it uses inside (scripts/client-package.js builds
// the client library).
// Loading hundreds of files costs a program more than its work: a third of an agent's start, half of `agentctl sign`.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { build } from 'esbuild';

/** Loaded where they lie: native code, and what requires it. */
export const native = ['@photostructure/sqlite', 'graphene-pk11', 'koffi', 'pkcs11js'];

const programs = 'src/cli/programs';

/**
 * Programs of agentctl that are a file each, so that a command loads two: dozens of shared ones cost it a third of its
 * time. The others have large parts that only some of their commands load.
 */
const alone = ['ca', 'clientkey', 'join-token', 'jwt', 'lock', 'signatures', 'trust'];

/**
 * In a file alone what is imported from outside is loaded with it, also for a part that is not used yet; what is required
 * waits for that. Loading native code takes as long as a short command.
 */
const nativeWhenUsed = {
  name: 'native-when-used',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^[^.]/ }, ({ path, namespace }) => {
      if (!native.includes(path)) return undefined;
      return namespace === 'native' ? { path, external: true } : { path, namespace: 'native' };
    });
    onLoad({ filter: /.*/, namespace: 'native' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
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

const options = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: native,
  // Names stay as they are: stacks in the log are read by people.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  // CommonJS packages inside ask for Node's own modules.
  banner: {
    js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
};

/** Writes the programs and the licences of what is in them into that folder. */
export async function bundle(root, outdir) {
  const here = { ...options, absWorkingDir: root, outdir };
  const sharing = readdirSync(join(root, programs))
    .map((file) => parse(file).name)
    .filter((name) => !alone.includes(name));
  const built = await Promise.all([
    build({
      ...here,
      entryPoints: {
        'bin/signing-agent': 'src/bin/signing-agent.ts',
        ...programEntries(sharing),
      },
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
      plugins: [withoutChildProcess],
    }),
    build({
      ...here,
      entryPoints: { 'bin/agentctl': 'src/bin/agentctl.ts' },
      plugins: [programsApart],
    }),
    build({
      ...here,
      entryPoints: {
        // One file each: they are also started where there are hardly any descriptors left.
        'bin/module-probe': 'src/bin/module-probe.ts',
        'bin/vault-host': 'src/bin/vault-host.ts',
        'bin/vault-host-signer': 'src/bin/vault-host-signer.ts',
        ...programEntries(alone),
      },
      plugins: [withoutChildProcess, nativeWhenUsed],
    }),
  ]);
  const outputs = built.flatMap(({ metafile }) => Object.values(metafile.outputs));
  writeFileSync(join(outdir, 'LICENSES.txt'), licences(root, outputs));
}

function programEntries(names) {
  return Object.fromEntries(
    names.map((name) => [`agentctl/${name}`, join(programs, `${name}.ts`)]),
  );
}

/** agentctl loads its programs from beside it. */
const programsApart = {
  name: 'programs-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/programs\/\w[\w-]*\.ts$/ }, ({ path }) => ({
      path: `../agentctl/${parse(path).name}.js`,
      external: true,
    }));
  },
};

/** The terms of every package that a bundle has something of. */
function licences(root, outputs) {
  const files = outputs.flatMap(({ inputs }) =>
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
