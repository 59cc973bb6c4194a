import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InProcessAgent } from '../support/in-process-agent.ts';

/** What docs/protocol.md shows, run as it stands there. */

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const run = promisify(execFile);

let agent: InProcessAgent;
beforeAll(async () => {
  agent = await new InProcessAgent().start();
});
afterAll(() => agent.remove());

function blocks(language: string): readonly string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(
    ([, text = '']) => text,
  );
}
async function outputOf(program: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', SIGNING_AGENT_SOCK: agent.socket };
  return (await run(program, args, { env, timeout: 60_000 })).stdout;
}
/** Keys are others each time. */
const anyKey = (text: string): string =>
  text.replaceAll(/"[\w-]{86}"/g, '"SIGNATURE"').replaceAll(/\b(?!0{8})[0-9a-f]{8}\b/g, 'KID');

test('console blocks answer what they show', async () => {
  const sessions = blocks('console');
  expect(sessions.length).toBeGreaterThan(0);
  for (const session of sessions) {
    const steps = session.split(/^\$ /m).slice(1);
    for (const step of steps) {
      const [command = '', ...shown] = step.split('\n');
      expect(anyKey(await outputOf('bash', '-c', command)), command).toBe(anyKey(shown.join('\n')));
    }
  }
});

test('the client in Python signs', async () => {
  const programs = blocks('python');
  expect(programs.length).toBeGreaterThan(0);
  for (const program of programs) {
    expect(anyKey(await outputOf('python3', '-c', program))).toBe('64 bytes by KID\n');
  }
});
