import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import {
  agentClientExample,
  connectExample,
  documentExample,
  remoteBackendExample,
} from '../support/client-examples.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';

const root = join(import.meta.dirname, '..', '..');
const compiled = readFileSync(join(root, 'test/support/client-examples.ts'), 'utf8');
const before = process.cwd();

let running: InProcessAgent;
beforeAll(async () => {
  const config = '[keyrings.default]\nbackend = "file"\n[keyrings.ci]\nbackend = "file"\n';
  running = await new InProcessAgent(config).start();
  process.chdir(running.folder);
  vi.stubEnv('SIGNING_AGENT_SOCK', running.socket);
  const admin = await connect();
  const { secret = '' } = await admin.apikeyCreate('build-farm', 'app', {
    allowedKeyrings: ['ci'],
  });
  writeFileSync('build-farm.key', `${secret}\n`);
  await admin.close();
});
afterAll(async () => {
  process.chdir(before);
  vi.unstubAllEnvs();
  await running.remove();
});

/** Of a file of the library, without the signs of a comment. */
function exampleIn(file: string): string {
  const comment = /@example\n((?: \*(?: .*)?\n)+) \*\//.exec(
    readFileSync(join(root, file), 'utf8'),
  );
  return (comment?.[1] ?? '').replaceAll(/^ \* ?/gm, '');
}

function exampleInDocument(): string {
  return /```ts\n([^`]*)```/.exec(readFileSync(join(root, 'docs/client.md'), 'utf8'))?.[1] ?? '';
}

/** What stands between the braces of that function. */
function bodyOf(name: string): string {
  const body = new RegExp(`function ${name}\\(\\).*\\{\\n([^]*?)\\n\\}\\n`).exec(compiled);
  return (body?.[1] ?? '').replaceAll(/^ {2}/gm, '');
}

/** The names of every import of it: of those of the library, and of those of Node. */
function imported(text: string): string[] {
  return [...text.matchAll(/^import \{([^}]*)\} from/gm)].flatMap(([, names = '']) =>
    names.split(',').map((name) => name.trim()),
  );
}

describe.each([
  ['connect', exampleIn('src/client/connect.ts'), connectExample],
  ['AgentClient', exampleIn('src/client/agent-client.ts'), agentClientExample],
  ['RemoteBackend', exampleIn('src/client/remote-backend.ts'), remoteBackendExample],
  ['docs/client.md', exampleInDocument(), documentExample],
] as const)('the example of %s', (_, example, run) => {
  test('is the one that the compiler has seen', () => {
    const code = example.replaceAll(/^import .*\n/gm, '').trim();
    expect(code).not.toBe('');
    expect(code).toBe(bodyOf(run.name));
    expect(imported(compiled)).toEqual(expect.arrayContaining(imported(example)));
    expect(imported(example)).toContain('connect');
  });

  test('runs', async () => {
    const said = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    try {
      await run();
      expect(said).toHaveBeenCalledOnce();
      expect(said.mock.calls[0]).not.toContain('unlock it first');
    } finally {
      said.mockRestore();
    }
  });
});
