import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { manPages } from '../../scripts/man-pages.js';
import { version } from '../../src/base/version.ts';
import { daemonProgram } from '../../src/bin/daemon-program.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { everyCommand } from '../../src/cli/programs/all.ts';
import { configSchema } from '../../src/config/schema.ts';
import { terminalOf } from '../support/cli-session.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'docs', 'man');

const agentctl = buildProgram(terminalOf().terminal, () => undefined, everyCommand);
const agent = daemonProgram();
const configuration = z.toJSONSchema(configSchema, { io: 'input' });
const pages = manPages({ agentctl, agent, configuration }, version());

/** What a reader sees, in lines of 200 characters, and what man has to say against the page. */
async function shown(path: string): Promise<{ readonly text: string; readonly warnings: string }> {
  const env = {
    PATH: process.env['PATH'],
    LC_ALL: 'C.UTF-8',
    MANWIDTH: '200',
    MAN_KEEP_FORMATTING: '',
  };
  const { stdout, stderr } = await run('man', ['--warnings', '-l', path], { env });
  return { text: stdout, warnings: stderr };
}

test('docs/man has what the sources make of them: else run scripts/man-pages.js', () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(pages).sort());
  for (const [name, text] of Object.entries(pages)) {
    expect(readFileSync(join(folder, name), 'utf8'), name).toBe(text);
    // Else man warns of them where the locale has no others.
    expect(/[^\n -~]/.exec(text), name).toBeNull();
  }
});

test('package.json names each of them', () => {
  const { man, files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly man: readonly string[];
    readonly files: readonly string[];
  };
  expect([...man].sort()).toEqual(
    Object.keys(pages)
      .map((name) => `./docs/man/${name}`)
      .sort(),
  );
  expect(files).toContain('docs/man');
});

test.each(Object.keys(pages))('man shows %s and has nothing against it', async (name) => {
  const { text, warnings } = await shown(join(folder, name));
  expect(warnings).toBe('');
  expect(text).toContain('NAME\n');
  expect(text).toContain('SEE ALSO\n');
});

test('man does say what is wrong with a page', async () => {
  const own = mkdtempSync(join(tmpdir(), 'man-'));
  writeFileSync(join(own, 'wrong.1'), `${pages['agentctl.1'] ?? ''}.NOSUCHMACRO x\n`);
  expect((await shown(join(own, 'wrong.1'))).warnings).not.toBe('');
  rmSync(own, { recursive: true });
});

/** Those that do something, with their words. */
function leaves(command: Command, words: readonly string[]): readonly (readonly string[])[] {
  return command.commands.flatMap((one) => {
    const path = [...words, one.name()];
    return one.commands.length === 0 ? [path] : leaves(one, path);
  });
}

test('agentctl(1) has every command and every option', async () => {
  const { text } = await shown(join(folder, 'agentctl.1'));
  for (const words of leaves(agentctl, [])) expect(text).toContain(`agentctl ${words.join(' ')}\n`);
  for (const { long } of agentctl.options) expect(text).toContain(`       ${long ?? ''}`);
});

test('signing-agent(8) has every flag', async () => {
  const { text } = await shown(join(folder, 'signing-agent.8'));
  for (const { long, hidden } of agent.options) {
    expect(
      text.includes(`       ${long ?? ''}\n`) || text.includes(`       ${long ?? ''} `),
      long,
    ).toBe(!hidden);
  }
});

describe('signing-agent.toml(5)', () => {
  test('has what the schema knows of a key', async () => {
    const { text } = await shown(join(folder, 'signing-agent.toml.5'));
    expect(text).toContain('a whole number; 1024 to 16777216; default: 262144');
    expect(text).toContain(
      'one of "software", "hardware-wrapped", "hardware"; default: "software"',
    );
    for (const backend of ['"file", "pkcs11", "tpm"', '"file", "pkcs11"']) {
      expect(text).toContain(`one of ${backend}`);
    }
  });

  test('is not made without a key that there is, nor with one that there is not', () => {
    const made = (properties: object) => () =>
      manPages({ agentctl, agent, configuration: { ...configuration, properties } }, '0.0.0');
    const { properties = {} } = configuration;
    expect(made({ ...properties, unheard_of: { type: 'string' } })).toThrow(
      'lacks a key: unheard_of',
    );
    const others = Object.entries(properties).filter(([name]) => name !== 'state_dir');
    expect(made(Object.fromEntries(others))).toThrow('has a key that is none: state_dir');
  });
});
