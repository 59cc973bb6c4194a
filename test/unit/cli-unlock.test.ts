import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agentctl, type Session, type Surroundings } from '../support/cli-session.ts';
import { FakeAgent } from '../support/fake-agent.ts';

let agent: FakeAgent;
const dir = mkdtempSync(join(tmpdir(), 'cli-unlock-'));
beforeAll(async () => {
  agent = await FakeAgent.start(({ params }, reply) => {
    if (params['pin'] === 'wrong') reply.error(-32005, 'it was refused', { kind: 'locked' });
    else reply.result({});
  });
});
afterEach(() => agent.requests.splice(0));
afterAll(async () => {
  await agent.remove();
  rmSync(dir, { recursive: true, force: true });
});

function run(line: string, surroundings: Surroundings = {}): Promise<Session> {
  return agentctl(['--socket', agent.path, ...line.split(' ')], surroundings);
}
const asked = (): unknown[] => agent.requests.map(({ method, params }) => [method, params]);
const sent = (pin: string, keyring = 'default'): unknown[] => [['unlock', { keyring, pin }]];

/** Types this at the prompt; answers the session and what became of the raw mode. */
async function typing(
  line: string,
  ...typed: (string | readonly number[])[]
): Promise<Session & { raw: boolean[] }> {
  const raw: boolean[] = [];
  const chunks = typed.map((chunk) => Buffer.from(chunk as string));
  const session = await run(line, { typed: chunks, setRawMode: (on) => raw.push(on) });
  return { ...session, raw };
}

describe('agentctl unlock at a terminal', () => {
  it('asks without echo, and gives the terminal back', async () => {
    expect(await typing('unlock', '1234\r')).toMatchObject({
      code: 0,
      out: 'keyring default is unlocked\n',
      err: 'PIN of keyring default: \n',
      raw: [true, false],
    });
    expect(asked()).toEqual(sent('1234'));
  });

  it('names the keyring, safely', async () => {
    const { err } = await typing('--keyring p\u001brod unlock', 'x\n');
    expect(err).toBe('PIN of keyring p\\u{1b}rod: \n');
  });

  it.each([
    ['one byte after the other', ['1', '2', '\r'], '12'],
    ['with a newline', ['12\n'], '12'],
    ['ended by Ctrl-D', ['12', [4]], '12'],
    ['with blanks around it', [' 1 2 \r'], ' 1 2 '],
    ['corrected', ['12x', [0x7f], '3', [0x08], '4\r'], '124'],
    ['corrected before its start', [[0x7f, 0x7f], '12\r'], '12'],
    ['corrected over a character of three bytes', ['1€', [0x7f], '2\r'], '12'],
    ['begun again by Ctrl-U', ['wrong', [0x15], '12\r'], '12'],
    ['in UTF-8, cut in two', [[0xc3], [0xa9, 0x0d]], 'é'],
    ['and more after its end', ['12\r34\r'], '12'],
  ])('takes what is typed %s', async (_, typed, pin) => {
    expect((await typing('unlock', ...typed)).code).toBe(0);
    expect(asked()).toEqual(sent(pin));
  });

  it.each([
    ['Ctrl-C', ['12', [3]], 130, 'interrupted'],
    ['Enter alone', ['\r'], 1, 'nothing was typed'],
    ['the end of the input', ['12'], 1, 'the input ended'],
    ['an arrow key', ['12', '\u001b[A', '\r'], 1, 'no character'],
    ['far too much', ['x'.repeat(1025)], 1, 'more than 1024 bytes'],
    ['what is no UTF-8', [[0xff, 0x0d]], 2, 'not a line of UTF-8'],
  ])('sends nothing after %s, and gives the terminal back', async (_, typed, code, text) => {
    const session = await typing('unlock', ...typed);
    expect(session).toMatchObject({ code, out: '', raw: [true, false] });
    expect(session.err).toContain(text);
    expect(session.err).not.toContain('12');
    expect(asked()).toEqual([]);
  });

  it('says what the agent says, with exit 1', async () => {
    const session = await typing('unlock --again', 'wrong\r');
    expect(session).toMatchObject({ code: 1, out: '' });
    expect(session.err).toContain('agentctl: it was refused\n');
    expect(session.err).not.toContain('wrong');
    expect(asked()).toEqual([['unlock', { keyring: 'default', pin: 'wrong', again: true }]]);
  });
});

describe('agentctl unlock --pin-file', () => {
  const write = (text: string | Buffer, mode = 0o600): string => {
    const path = join(dir, 'pin');
    rmSync(path, { force: true });
    writeFileSync(path, text, { mode });
    return path;
  };

  it('reads a file without its last newline', async () => {
    expect(await run(`--keyring prod unlock --pin-file ${write('12 34\n')}`)).toMatchObject({
      code: 0,
      out: 'keyring prod is unlocked\n',
      err: '',
    });
    expect(asked()).toEqual(sent('12 34', 'prod'));
  });

  it('reads stdin at -, and asks there where it is a terminal', async () => {
    expect((await run('unlock --pin-file -', { stdin: '1234\n' })).code).toBe(0);
    expect((await run('unlock --pin-file -', { stdin: 'x'.repeat(1024) })).code).toBe(0);
    expect((await typing('unlock --pin-file -', '5678\r')).raw).toEqual([true, false]);
    expect(agent.requests.map(({ params }) => params['pin'])).toEqual([
      '1234',
      'x'.repeat(1024),
      '5678',
    ]);
  });

  it('reads a pipe', async () => {
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    const session = run(`unlock --pin-file ${pipe}`);
    await writeFile(pipe, '1234\n'); // on a thread: it waits for the reader
    expect((await session).code).toBe(0);
    expect(asked()).toEqual(sent('1234'));
  });

  it.each([
    ['others can read', () => write('1234', 0o644), 'chmod 0600'],
    ['is not there', () => join(dir, 'none'), 'does not exist'],
    ['is empty', () => write('\n'), 'is empty'],
    ['is too long', () => write('x'.repeat(1025)), 'longer than 1024 bytes'],
    ['has a second line', () => write(`${'x'.repeat(1024)}\ny`), 'more than one line'],
    ['is no text', () => write(Buffer.from([0x31, 0])), 'not a line of UTF-8 text'],
    ['is a directory', () => dir, 'not a regular file'],
  ])('refuses a file that %s, with exit 2', async (_, make, text) => {
    const path = make();
    const session = await run(`unlock --pin-file ${path}`);
    expect(session).toMatchObject({ code: 2, out: '' });
    expect(session.err).toContain(path);
    expect(session.err).toContain(text);
    expect(asked()).toEqual([]);
  });

  it.each([
    ['empty', '\n', 'stdin is empty'],
    ['too long', 'x'.repeat(2000), 'stdin is longer than 1088 bytes'],
    ['no text', Buffer.from([0xff]), 'stdin is not a line of UTF-8'],
  ])('refuses stdin that is %s', async (_, stdin, text) => {
    const session = await run('unlock --pin-file -', { stdin });
    expect(session.code).toBe(2);
    expect(session.err).toContain(text);
    expect(asked()).toEqual([]);
  });
});

describe('agentctl unlock and lock', () => {
  it('say what to do where there is no terminal', async () => {
    const session = await run('unlock', { stdin: '1234\n' });
    expect(session).toMatchObject({ code: 2, out: '' });
    expect(session.err).toContain('give --pin-file FILE, or --pin-file - to read it from stdin');
    expect(asked()).toEqual([]);
  });

  it('take no PIN from the command line', async () => {
    for (const line of ['unlock 1234', 'unlock --pin 1234']) {
      expect((await run(line)).code).toBe(2);
    }
    expect(asked()).toEqual([]);
  });

  it('lock and say so', async () => {
    expect(await run('lock')).toMatchObject({ code: 0, out: 'keyring default is locked\n' });
    expect(await run('--keyring prod lock --json')).toMatchObject({ code: 0, out: '{}\n' });
    expect(asked()).toEqual([
      ['lock', { keyring: 'default' }],
      ['lock', { keyring: 'prod' }],
    ]);
  });

  it('print the result as it came with --json', async () => {
    expect(await run('--json unlock --pin-file -', { stdin: '1' })).toMatchObject({
      code: 0,
      out: '{}\n',
    });
  });
});
