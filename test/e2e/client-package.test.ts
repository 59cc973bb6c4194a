import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InProcessAgent } from '../support/in-process-agent.ts';

/** The client as a package: packed, and installed in an empty folder, without a network and without a cache. */

const root = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

let agent: InProcessAgent;
let folder: string;
let installed: string;

beforeAll(async () => {
  agent = await new InProcessAgent().start();
  // Not below /tmp, where others may have left packages that Node would find from here.
  folder = mkdtempSync('/var/tmp/client-package-');
  installed = join(folder, 'node_modules', 'signing-agent-client');
  const archive = (
    await run('npm', ['pack', '--silent', join(root, 'dist', 'client')], { cwd: folder })
  ).stdout.trim();
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const env = { PATH: process.env['PATH'], HOME: folder };
  await run('npm', ['install', '--offline', '--cache', join(folder, 'cache'), `./${archive}`], {
    ...{ cwd: folder, env },
  });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await agent.remove();
});

const filesIn = (path: string): readonly string[] =>
  readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();

/** What a program of that text prints. */
async function printed(file: string, text: string): Promise<string> {
  writeFileSync(join(folder, file), text);
  const env = { PATH: process.env['PATH'], SIGNING_AGENT_SOCK: agent.socket };
  return (await run(process.execPath, [file], { cwd: folder, env })).stdout;
}

test('nothing else is installed: no dependency, no native code, less than 1 MB', () => {
  const others = readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'));
  expect(others).toEqual(['signing-agent-client']);
  const files = filesIn(installed);
  expect(files).toEqual([
    ...['LICENSE', 'README.md', 'index.cjs', 'index.d.cts', 'index.d.ts', 'index.js'],
    'package.json',
  ]);
  const bytes = files.reduce((sum, name) => sum + statSync(join(installed, name)).size, 0);
  expect(bytes).toBeLessThan(1_000_000);
});

test('it says what it is, under the licence and the version of the agent', () => {
  const read = (path: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { version, license, engines } = read(root);
  expect(read(installed)).toMatchObject({ version, license, engines });
  expect(read(installed)).not.toHaveProperty('dependencies');
  const readme = readFileSync(join(installed, 'README.md'), 'utf8');
  expect(readme).toContain('# The client library');
  // Other documents are not in the package.
  expect(readme).not.toMatch(/\]\((?!#)/);
  expect(readme).not.toContain('<!--');
});

test('a program that imports it signs', async () => {
  const said = await printed(
    'signs.mjs',
    `import { connect } from 'signing-agent-client';
const agent = await connect();
const { kid, signature } = await agent.sign(Buffer.from('hello'));
console.log((await agent.verify(Buffer.from('hello'), signature, kid)).valid);
await agent.close();
`,
  );
  expect(said).toBe('true\n');
});

test('a program that requires it signs, and refusals are the same class as for those that import it', async () => {
  const said = await printed(
    'signs.cjs',
    `const { connect, AgentError } = require('signing-agent-client');
(async () => {
  const agent = await connect();
  console.log((await agent.sign(Buffer.from('hello'))).signature.length);
  const imported = await import('signing-agent-client');
  console.log(imported.AgentError === AgentError, Object.keys(imported).join());
  await agent.sign(Buffer.from('hello'), { kid: '00000000' }).catch((error) => {
    console.log(error instanceof imported.AgentError, error.kind);
  });
  await agent.close();
})();
`,
  );
  expect(said).toBe(
    '64\ntrue AgentError,ConnectionError,RemoteBackend,connect\ntrue unknown_kid\n',
  );
});

test('without koffi no secret goes to a socket that others could have put there; with it the kernel says who listens', async () => {
  const text = `import { connect } from 'signing-agent-client';
await connect({ apiKey: 'sa_nobody_0' }).catch((error) => console.log(error.kind ?? error.reason));
`;
  // The agent of this test listens below /tmp.
  expect(await printed('authenticates.mjs', text)).toBe('untrusted\n');
  const koffi = join(folder, 'node_modules', 'koffi');
  symlinkSync(join(root, 'node_modules', 'koffi'), koffi);
  expect(await printed('authenticates.mjs', text)).toBe('unauthenticated\n');
  rmSync(koffi);
});

test.each([
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
])(
  'module %s, resolution %s: the types are those of the library, for both kinds of modules; a mistake is told',
  async (module, moduleResolution) => {
    const right = `import { connect, AgentError, type AgentClient, type KeyDetails } from 'signing-agent-client';
export async function kids(): Promise<readonly string[]> {
  const agent: AgentClient = await connect({ timeoutMs: 1000 });
  const keys: readonly KeyDetails[] = await agent.listKeys();
  return keys.map(({ kid }) => kid);
}
export const isLocked = (error: unknown): boolean => error instanceof AgentError && error.kind === 'locked';
`;
    const wrong = `import { connect } from 'signing-agent-client';
export * from 'signing-agent-client/index.cjs';
const agent = await connect({ timeout: 1000 });
export const kid: number = await agent.activeKeyId();
`;
    const said = await compiled({ module, moduleResolution }, [
      ['module.mts', right],
      ...(moduleResolution === 'bundler' ? [] : [['common.cts', right] as const]),
      ['wrong.mts', wrong],
    ]);
    const told = [...said.matchAll(/^(\S*)\((\d),\d+\): error/gm)];
    expect(told.map(([, file, line]) => `${file ?? ''}:${line ?? ''}`)).toEqual([
      ...['wrong.mts:2', 'wrong.mts:3', 'wrong.mts:4'],
    ]);
  },
);

/** What the compiler says of those files, beside the installed package. */
async function compiled(
  options: Readonly<Record<string, string>>,
  files: readonly (readonly [string, string])[],
): Promise<string> {
  const project = mkdtempSync(join(folder, 'types-'));
  for (const [name, text] of files) writeFileSync(join(project, name), text);
  mkdirSync(join(project, 'node_modules', '@types'), { recursive: true });
  for (const name of ['@types/node', 'undici-types']) {
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
  }
  const compilerOptions = {
    ...{ target: 'es2023', lib: ['es2023'], types: ['node'], skipLibCheck: false },
    ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, ...options },
  };
  const config = { compilerOptions, files: files.map(([name]) => name) };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
  const { stdout } = await run(process.execPath, [tsc, '-p', '.'], { cwd: project }).catch(
    (failure: unknown) => failure as { readonly stdout: string },
  );
  return stdout;
}
