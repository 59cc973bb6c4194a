// `node --import <this file> script.ts`: lets tests start processes from the sources on every supported node
// (node 20 cannot strip types by itself). Types are removed, nothing is checked.
import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

// Loaders run in a thread of their own; the compiler, slow to load, is wanted only there.
if (isMainThread) register(import.meta.url);
const typescript = isMainThread ? null : (await import('typescript')).default;

export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  const fileName = fileURLToPath(url);
  const { outputText } = typescript.transpileModule(await readFile(fileName, 'utf8'), {
    fileName,
    compilerOptions: {
      target: typescript.ScriptTarget.ES2023,
      module: typescript.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  return { format: 'module', source: outputText, shortCircuit: true };
}
