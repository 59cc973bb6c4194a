// The client library as a package of its own, in dist/client: no dependency, no native code, ECMAScript modules and
// CommonJS. Whoever only asks an agent for signatures installs nothing else.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { native } from './bundle.js';
import { bundledTypes, exportedValues } from './client-types.js';

/** Writes it into `outdir`; `declarations` is the folder into which tsc has written what src/client/index.ts exports. */
export async function writeClientPackage(root, declarations, outdir) {
  const types = bundledTypes(join(declarations, 'client', 'index.d.ts'));
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  // One file has the code and both kinds of modules take it from there: a program that loads both has one AgentError.
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/client/index.ts'],
    metafile: true,
    outfile: join(outdir, 'index.cjs'),
    ...{ bundle: true, format: 'cjs', platform: 'node', target: 'node20.19', external: native },
    ...{ minifySyntax: true, minifyWhitespace: true, legalComments: 'none', logLevel: 'warning' },
  });
  const foreign = Object.keys(metafile.inputs).filter((path) => path.includes('node_modules/'));
  if (foreign.length > 0) throw new Error(`the client library has packages inside: ${foreign}`);
  const write = (name, text) => writeFileSync(join(outdir, name), text);
  write('index.js', `export { ${exportedValues(types).join(', ')} } from './index.cjs';\n`);
  write('index.d.ts', types);
  write('index.d.cts', types);
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  write('package.json', `${JSON.stringify(manifest(own), null, 2)}\n`);
  write('README.md', forPackage(readFileSync(join(root, 'docs', 'client.md'), 'utf8')));
  copyFileSync(join(root, 'LICENSE'), join(outdir, 'LICENSE'));
}

function manifest({ version, license, engines, dependencies }) {
  return {
    name: 'signing-agent-client',
    version,
    description:
      'Signatures from a signing-agent over its Unix socket. No dependencies, no native code.',
    keywords: ['client', 'ed25519', 'json-rpc', 'jwt', 'signature', 'signing', 'unix-socket'],
    license,
    type: 'module',
    engines,
    files: ['index.js', 'index.cjs', 'index.d.ts', 'index.d.cts'],
    exports: {
      '.': {
        import: { types: './index.d.ts', default: './index.js' },
        require: { types: './index.d.cts', default: './index.cjs' },
      },
      './package.json': './package.json',
    },
    main: './index.cjs',
    types: './index.d.cts',
    sideEffects: false,
    // Asks the kernel who listens, where it is installed: then secrets go to more sockets.
    peerDependencies: { koffi: dependencies.koffi },
    peerDependenciesMeta: { koffi: { optional: true } },
  };
}

/** Other documents of the repository are not in the package, nor what tests run unseen. */
function forPackage(text) {
  const seen = text.replaceAll(/^<!-- [^]*?-->\n\n?/gm, '');
  return seen.replaceAll(/\[([^\]]+)\]\((?![a-z]+:|#)[^)]+\)/g, '$1');
}
