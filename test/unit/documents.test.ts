import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { everyCommand } from '../../src/cli/programs/all.ts';
import { parseConfig } from '../../src/config/load.ts';
import { resolveSettings } from '../../src/config/settings.ts';
import { errorTexts } from '../../src/request/discovery/texts/error-texts.ts';
import { terminalOf } from '../support/cli-session.ts';
import { anchorsOf, blocksOf, documents, linksOf, partsOf } from '../support/document.ts';
import { Normalised } from '../support/normalised.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const notes = readdirSync(join(root, 'native-notes')).map((name) => `native-notes/${name}`);

describe.each([...documents(), ...notes])('%s', (path) => {
  const text = read(path);

  test('names files and folders that there are', () => {
    const named = [
      ...text.matchAll(/(?<![\w./])((?:src|test|scripts|native-notes)\/[\w./-]*)(?!\*|[\w./-])/g),
    ].map(([, name = '']) => name.replace(/\.$/, ''));
    expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  });

  test('links to files that there are, and to headings of them', () => {
    const broken = linksOf(text).filter(({ path: to, anchor }) => {
      const target = to === '' ? path : join(dirname(path), to);
      if (!existsSync(join(root, target))) return true;
      if (anchor === null) return false;
      return (
        statSync(join(root, target)).isDirectory() || !anchorsOf(read(target)).includes(anchor)
      );
    });
    expect(broken).toEqual([]);
  });
});

/** What runs the blocks of a language that the sessions of test/e2e/documents.test.ts do not type. */
const runBy: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  sh: {
    'README.md': 'test/e2e/readme.test.ts',
    'CONTRIBUTING.md': 'test/unit/documents.test.ts',
    'docs/benchmarks.md': 'test/unit/bench.test.ts',
  },
  ts: { 'docs/client.md': 'test/contract/client-examples.test.ts' },
  python: { 'examples/python/README.md': 'test/contract/python-client.test.ts' },
};

describe.each(documents().filter((path) => blocksOf(read(path)).length > 0))('%s', (path) => {
  const blocks = blocksOf(read(path));

  test('each of its blocks is run by a test, or is a figure', () => {
    const idle = blocks.filter(
      ({ language, file }) =>
        !['console', 'toml', 'text'].includes(language) &&
        file === null &&
        runBy[language]?.[path] === undefined,
    );
    expect(idle).toEqual([]);
    // A session reads what a block with a name has; without one nothing would.
    const isTyped = blocks.some(({ language }) => language === 'console');
    expect(blocks.filter(({ file }) => file !== null && !isTyped)).toEqual([]);
  });

  test.each(blocks.filter(({ language }) => language === 'toml'))(
    'the configuration of line $line is one',
    ({ text }) => {
      const where = { env: { HOME: '/root' }, uid: 0, cwd: '/', file: path, processors: 2 };
      const settings = resolveSettings(parseConfig(text, path), {}, where);
      expect(settings.keyrings.length).toBeGreaterThan(0);
    },
  );
});

/** Of the shell blocks of a document: each command, without what stands behind `#`. */
function shellCommands(path: string): readonly string[] {
  const shell = blocksOf(read(path)).filter(({ language }) => language === 'sh');
  const lines = shell.flatMap(({ text }) => text.split(/\n| && /));
  return lines.map((line) => line.replace(/\s+#.*$/, '').trim()).filter((line) => line !== '');
}

test('README has the two commands that install and test', () => {
  const commands = shellCommands('README.md');
  expect(commands.slice(0, 2)).toEqual(['./scripts/install-packages', './scripts/test']);
  for (const command of commands.slice(0, 2)) {
    expect(statSync(join(root, command)).mode & 0o111, command).toBe(0o111);
  }
});

test('the commands of CONTRIBUTING.md are there', () => {
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: object };
  const commands = shellCommands('CONTRIBUTING.md');
  expect(commands.length).toBeGreaterThan(5);
  for (const command of commands) {
    const [, script] = /^npm run (\w+)$/.exec(command) ?? [];
    const [, file] = /^(?:npx vitest run |)((?:test|scripts)\/\S+)/.exec(command) ?? [];
    const [, project] = /--project (\w+)$/.exec(command) ?? [];
    const isThere =
      (script !== undefined && script in scripts) ||
      (file !== undefined && existsSync(join(root, file))) ||
      (project !== undefined && existsSync(join(root, 'test', project)));
    expect(isThere, command).toBe(true);
  }
});

test('what runs other blocks is there', () => {
  for (const files of Object.values(runBy)) {
    for (const [document, file] of Object.entries(files)) {
      expect(existsSync(join(root, document)), document).toBe(true);
      expect(existsSync(join(root, file)), file).toBe(true);
    }
  }
});

describe('commands of agentctl that are named', () => {
  const program = buildProgram(terminalOf().terminal, () => undefined, everyCommand);
  const valued = program.options.flatMap(({ long, required }) => (required ? [long] : []));

  /** What stands behind `agentctl` that is no command of it; null where all is well. */
  function unknownIn(line: string): string | null {
    const words = line.split(/\s+/).slice(1);
    while (words[0]?.startsWith('-') === true) words.splice(0, valued.includes(words[0]) ? 2 : 1);
    let { commands } = program;
    for (const word of words) {
      if (commands.length === 0) return null;
      const found = word.split('|').map((name) => commands.find((one) => one.name() === name));
      if (found.includes(undefined)) return line;
      commands = found[0]?.commands ?? [];
    }
    return null;
  }

  test.each([...documents(), ...notes])('%s', (path) => {
    const prose = read(path).replaceAll(/^```[^]*?^```$/gm, '');
    const named = [...prose.matchAll(/`(agentctl [^`\n]*)`/g)].map(([, line = '']) => line);
    expect(named.map(unknownIn).filter((line) => line !== null)).toEqual([]);
  });

  test('in what is said of errors', () => {
    const texts = Object.values(errorTexts).flatMap(({ operator, repeat }) => [
      operator,
      repeat.text,
    ]);
    const named = texts.flatMap((text) => text.match(/agentctl [a-z]+(?: list)?/g) ?? []);
    expect(named.length).toBeGreaterThan(3);
    expect(named.map(unknownIn).filter((line) => line !== null)).toEqual([]);
  });

  test('one that there is not is found', () => {
    expect(unknownIn('agentctl --keyring ci keys rotate --grace 1d')).toBeNull();
    expect(unknownIn('agentctl whereami')).toBe('agentctl whereami');
    expect(unknownIn('agentctl keys rename')).toBe('agentctl keys rename');
  });
});

describe('a session of a document', () => {
  test('has commands with what they print, files, and commands that are not seen', () => {
    const text = [
      '<!-- run:\nbegin\n-->',
      '<!-- write: agent.toml -->\n\n```toml\n[access]\n```',
      '```console\n$ one\n1\n1\n$ two \\\n> more\n```',
    ].join('\n\n');
    expect(partsOf(text)).toEqual([
      { kind: 'hidden', line: 1, script: 'begin\n' },
      { kind: 'file', line: 8, path: 'agent.toml', text: '[access]\n' },
      { kind: 'command', line: 12, command: 'one', expected: '1\n1\n' },
      { kind: 'command', line: 15, command: 'two \\\nmore', expected: '' },
    ]);
  });

  test('a block that begins with an answer, or has no end, is refused', () => {
    expect(() => partsOf('```console\nanswer\n```')).toThrow('begins with a command');
    expect(() => partsOf('```console\n$ one\n')).toThrow('has no end');
  });

  test('key ids are told apart, and times, signatures and columns are not', () => {
    const one = new Normalised().text('11111111  active  1s ago (2026-11-28 13:18:03Z)\n22222222');
    expect(one).toBe(new Normalised().text('aaaaaaaa active now (2027-01-01 00:00:00Z)\nbbbbbbbb'));
    expect(one).not.toBe(
      new Normalised().text('aaaaaaaa active now (2027-01-01 00:00:00Z)\naaaaaaaa'),
    );
    expect(new Normalised().text('not valid')).not.toBe(new Normalised().text('valid'));
  });

  test('headings have the anchors that GitHub makes', () => {
    const text = '# The `[access]` table\n\n## Once\n\n## Once\n\n```sh\n# none\n```\n';
    expect(anchorsOf(text)).toEqual(['the-access-table', 'once', 'once-1']);
  });
});

test('docs/architecture.md has every folder of src/', () => {
  const folders = readdirSync(join(root, 'src')).map((name) => `\`src/${name}\``);
  const text = read('docs/architecture.md');
  expect(folders.filter((folder) => !text.includes(folder))).toEqual([]);
});

test('docs/architecture.md has a reason for every package that is needed at run time or built in', () => {
  const { dependencies, devDependencies, peerDependencies } = JSON.parse(read('package.json')) as {
    readonly dependencies: object;
    readonly devDependencies: object;
    readonly peerDependencies: object;
  };
  const text = read('docs/architecture.md').split('## Dependencies')[1] ?? '';
  const names = Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies });
  expect(names.filter((name) => !name.startsWith('@types/') && !text.includes(name))).toEqual([]);
});

test('CONTRIBUTING.md has every folder of test/ that has tests', () => {
  const text = read('CONTRIBUTING.md');
  const folders = readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && hasTests(join(root, 'test', entry.name)))
    .map(({ name }) => `\`test/${name}\``);
  expect(folders.length).toBeGreaterThan(5);
  expect(folders.filter((folder) => !text.includes(folder))).toEqual([]);
});

function hasTests(folder: string): boolean {
  return readdirSync(folder).some((name) => name.endsWith('.test.ts'));
}

test('the licence is the one that package.json names', () => {
  const { license } = JSON.parse(read('package.json')) as { readonly license: string };
  expect(license).toBe('Apache-2.0');
  expect(read('LICENSE')).toMatch(/^\s*Apache License\n\s*Version 2\.0, January 2004\n/);
});
