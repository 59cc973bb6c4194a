import { describe, expect, test } from 'vitest';
import { firstCommands } from '../../src/cli/commands/help/first-help.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { everyCommand } from '../../src/cli/programs/all.ts';
import { agentctl, terminalOf } from '../support/cli-session.ts';

const all = buildProgram(terminalOf().terminal, () => undefined, everyCommand);

/** Whether agentctl has that command, one below the other. */
function isCommand(words: readonly string[]): boolean {
  let { commands } = all;
  for (const word of words) {
    const found = commands.find((one) => one.name() === word);
    if (found === undefined) return false;
    ({ commands } = found);
  }
  return true;
}

test('agentctl --help fits 60 columns and one screen, and has the ten commands of the beginning', async () => {
  const { code, out, err } = await agentctl(['--help']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const lines = out.split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(lines.length).toBeLessThan(40);
  expect(firstCommands).toHaveLength(10);
  for (const [command, what] of firstCommands) {
    expect(out).toContain(`\n  ${command} `);
    expect(out).toContain(` ${what}\n`);
    const words = command.split(' ').filter((word) => word !== word.toUpperCase());
    expect(isCommand(words), command).toBe(true);
  }
  expect(isCommand(['keys', 'none'])).toBe(false);
});

test('the options that it names are options', async () => {
  const { out } = await agentctl(['--help']);
  const named = [...out.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(3);
  expect(all.options.map(({ long }) => long)).toEqual(expect.arrayContaining(named));
});

test('it says where the rest is, and there everything is', async () => {
  expect((await agentctl(['--help'])).out).toContain('\n  help all ');
  const { code, out } = await agentctl(['help', 'all']);
  expect(code).toBe(0);
  for (const { long } of all.options) expect(out).toContain(long);
  for (const command of all.commands)
    expect(out).toMatch(new RegExp(`^  ${command.name()}\\b`, 'm'));
  expect(out).toContain('Exit codes:');
});

test('agentctl alone is a mistake, and told with the same help', async () => {
  const { code, out, err } = await agentctl([]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain('What is needed first:');
});

describe('help of a command', () => {
  test.each([['sign'], ['keys', 'rotate'], ['help']])('%s %s', async (...words) => {
    const { code, out } = await agentctl(['help', ...words]);
    expect(code).toBe(0);
    expect(out).toContain(`Usage: agentctl ${words.join(' ')} `);
    expect(out).toBe((await agentctl([...words, '--help'])).out);
  });

  test('that there is not is a mistake', async () => {
    const { code, out, err } = await agentctl(['help', 'keys', 'none']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toBe('agentctl: there is no command "keys none": agentctl help all\n');
  });
});
