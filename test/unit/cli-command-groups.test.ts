import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { commandGroups, groupsFor } from '../../src/cli/command-groups.ts';

const valued = new Set(['--socket', '--keyring', '--api-key-file']);
const namesFor = (line: string): readonly string[] =>
  groupsFor(line.split(' '), valued).flatMap(({ names }) => names);

describe('groups of commands', () => {
  test.each(commandGroups)('$names are what the group adds', async ({ names, load }) => {
    const program = new Command();
    (await load())(program, () => () => Promise.resolve());
    expect(program.commands.map((command) => command.name())).toEqual(names);
  });

  test.each([
    ['sign', ['sign', 'verify']],
    ['--json status', ['status', 'reload']],
    ['--socket sign keys list', ['keys']],
    ['--socket=sign keys list', ['keys']],
    ['--keyring a --api-key-file b audit show', ['audit']],
    ['verify sign', ['sign', 'verify']],
  ])('"%s" needs its own alone', (line, names) => {
    expect(namesFor(line)).toEqual(names);
  });

  test.each(['', '--help', 'help sign', 'completion bash', 'sing', '--socket', '--json', 'SIGN'])(
    '"%s" needs all',
    (line) => {
      expect(groupsFor(line.split(' '), valued)).toBe(commandGroups);
    },
  );
});
