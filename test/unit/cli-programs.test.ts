import { describe, expect, test } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { programFor, programs, valuedFlags } from '../../src/cli/programs.ts';
import { everyCommand, run as runOfAll } from '../../src/cli/programs/all.ts';
import { agentctl, terminalOf } from '../support/cli-session.ts';

const all = buildProgram(terminalOf().terminal, () => undefined, everyCommand);

/** Those that `--help` of one program lists, but for help itself. */
async function listed(program: (typeof programs)[number]): Promise<readonly string[]> {
  const { run } = await program.load();
  const { terminal, out } = terminalOf();
  await run(['--help'], terminal);
  const [, rest = ''] = out().toString().split('Commands:\n');
  const [commands = ''] = rest.split('\n\n');
  return [...commands.matchAll(/^ {2}([a-z-]+)/gm)].flatMap(([, name = '']) =>
    name === 'help' ? [] : [name],
  );
}

describe('programs of agentctl', () => {
  test.each(programs)('$names are what the program has', async (program) => {
    expect(await listed(program)).toEqual(program.names);
  });

  test('each command but completion is in one of them', () => {
    const names = all.commands.map((command) => command.name()).filter((name) => name !== 'help');
    expect(names.filter((name) => name !== 'completion')).toEqual(
      programs.flatMap((program) => program.names),
    );
  });

  test('the flags with a value are those of agentctl', () => {
    const flags = all.options.flatMap(({ long, required }) => (required ? [long] : []));
    expect(flags).toEqual(valuedFlags);
  });

  test.each([
    ['sign', 'sign'],
    ['--json status', 'status'],
    ['--socket sign keys list', 'keys'],
    ['--socket=sign keys list', 'keys'],
    ['--keyring a --api-key-file b audit show', 'audit'],
    ['verify sign', 'verify'],
  ])('"%s" is for the program that has %s', (line, name) => {
    const load = programFor(line.split(' '));
    expect(programs.find((program) => program.load === load)?.names).toContain(name);
  });

  test.each(['', '--help', 'help sign', 'completion bash', 'sing', '--socket', '--json', 'SIGN'])(
    '"%s" is for the one that has all',
    async (line) => {
      expect((await programFor(line.split(' '))()).run).toBe(runOfAll);
    },
  );

  test('a word that is no command is told with the nearest of all', async () => {
    const { code, err } = await agentctl(['--json', 'stauts']);
    expect(code).toBe(2);
    expect(err).toContain('status');
  });
});
