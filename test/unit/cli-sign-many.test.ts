import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { main } from '../../src/cli/main.ts';
import { listedNames } from '../../src/cli/shell/listed-names.ts';
import { agentctl, terminalOf, type Session } from '../support/cli-session.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';

const agent = new InProcessAgent();
const dir = mkdtempSync(join(tmpdir(), 'cli-sign-many-'));
let publicKey: Buffer;

beforeAll(async () => {
  await agent.start();
  const listed = await agentctl(['--socket', agent.socket, '--json', 'keys', 'list']);
  const { keys } = JSON.parse(listed.out) as { keys: { public_key_b64: string }[] };
  publicKey = Buffer.from(keys[0]?.public_key_b64 ?? '', 'base64url');
});
afterAll(async () => {
  await agent.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Files of that many, each with its own content. */
function files(count: number, prefix = 'file'): string[] {
  return Array.from({ length: count }, (_, at) => {
    const path = join(dir, `${prefix}-${at}`);
    writeFileSync(path, `content of ${prefix} ${at}`);
    return path;
  });
}

const sign = (words: readonly string[], stdin = ''): Promise<Session> =>
  agentctl(['--socket', agent.socket, 'sign', ...words], { stdin });

function holds(signature: Buffer, path: string): boolean {
  return algorithms.ed25519.verify(readFileSync(path), signature, publicKey);
}

describe('sign of several files', () => {
  test('a line each, in their order, over one connection', async () => {
    const paths = files(100);
    const before = agent.agent.status().counters.requests;
    const { code, out, err } = await sign(paths);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => line.split('  ')[1])).toEqual(paths);
    for (const line of lines) {
      const [signature = '', path = ''] = line.split('  ');
      expect(holds(Buffer.from(signature, 'base64url'), path), path).toBe(true);
    }
    expect(agent.agent.status().counters.requests - before).toBe(100);
  });

  test('with --json an object a line', async () => {
    const paths = files(3);
    const { out } = await agentctl(['--socket', agent.socket, '--json', 'sign', ...paths]);
    const results = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(results).toEqual(
      paths.map((file) => ({
        file,
        kid: expect.stringMatching(/^[0-9a-f]{8}$/) as unknown,
        signature_b64: expect.any(String) as unknown,
      })),
    );
  });

  test('with --suffix a file beside each', async () => {
    const paths = files(2, 'beside');
    expect(await sign([...paths, '--suffix', '.sig'])).toMatchObject({ code: 0, out: '', err: '' });
    for (const path of paths) expect(holds(readFileSync(`${path}.sig`), path)).toBe(true);
    expect(await sign([...paths, '--format', 'minisign', '--suffix', '.minisig'])).toMatchObject({
      code: 0,
      out: '',
    });
    expect(readFileSync(`${paths[1] ?? ''}.minisig`, 'utf8')).toContain('file:beside-1');
  });

  test('what is the same for all files is asked once', async () => {
    const paths = files(5, 'once');
    const before = agent.agent.status().counters.requests;
    expect((await sign([...paths, '--format', 'sshsig', '--suffix', '.sig'])).code).toBe(0);
    expect(agent.agent.status().counters.requests - before).toBe(1 + paths.length);
  });

  test('a file that is not there is named, and the others are signed', async () => {
    const [first = '', last = ''] = files(2);
    const absent = join(dir, 'absent');
    const { code, out, err } = await sign([first, absent, last]);
    expect(code).toBe(1);
    expect(out.split('\n').map((line) => line.split('  ')[1])).toEqual([first, last, undefined]);
    expect(err).toContain(`agentctl: cannot read ${absent}: `);
  });

  test('what the agent refuses ends it', async () => {
    const { code, out, err } = await sign([...files(50), '--kid', 'ffffffff']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.match(/agentctl: /g)).toHaveLength(1);
  });

  test.each([
    ['--out', ['a', 'b', '--out', 'c'], '--out is for one signature'],
    ['- among files', ['a', '-'], '- is stdin'],
    ['raw lines', ['a', 'b', '--format', 'raw'], 'need --suffix'],
    ['sshsig lines', ['a', 'b', '--format', 'sshsig'], 'need --suffix'],
    ['a suffix that is a path', ['a', '--suffix', '/x'], 'must be a part of a name'],
    ['an empty suffix', ['a', '--suffix='], 'must be a part of a name'],
    ['a suffix for stdin', ['--suffix', '.sig'], 'is for files'],
    ['names twice', ['a', '--stdin-list'], 'give no others'],
    ['-0 alone', ['a', '-0'], '--null goes with --stdin-list'],
    ['a namespace', ['a', 'b', '--namespace', 'x'], '--namespace goes with'],
  ])('is refused with %s', async (_, words, why) => {
    const { code, err } = await sign(words);
    expect(code).toBe(2);
    expect(err).toContain(why);
  });
});

describe('sign --stdin-list', () => {
  test('signs what is listed, by newlines or NUL', async () => {
    const paths = files(40, 'listed');
    for (const [words, list] of [
      [[], `${paths.join('\n')}\n`],
      [['-0'], paths.join('\0')],
    ] as const) {
      const { code, out } = await sign(['--stdin-list', ...words], list);
      expect(code).toBe(0);
      expect(
        out
          .trimEnd()
          .split('\n')
          .map((line) => line.split('  ')[1]),
      ).toEqual(paths);
    }
    expect(await sign(['--stdin-list'])).toMatchObject({ code: 0, out: '' });
  });

  test('answers each name before the next one comes', async () => {
    const [first = '', second = ''] = files(2, 'asked');
    const { terminal, out } = terminalOf();
    const names = new PassThrough();
    const run = main(['--socket', agent.socket, 'sign', '--stdin-list'], {
      ...terminal,
      stdin: names,
    });
    const told = async (lines: number): Promise<void> => {
      while (out().toString().split('\n').length <= lines) await new Promise(setImmediate);
    };
    names.write(`${first}\n`);
    await told(1);
    names.write(`${second}\n`);
    await told(2);
    names.end();
    expect(await run).toBe(0);
  });

  test('ends where the agent refuses, also while nobody writes names', async () => {
    const [path = ''] = files(1, 'gone');
    const lost = await FakeAgent.start((_, reply) => {
      reply.error(-32003, 'no such key', { kind: 'unknown_kid' });
    });
    try {
      const { terminal, err } = terminalOf();
      const names = new PassThrough();
      names.write(`${path}\n`);
      const code = await main(['--socket', lost.path, 'sign', '--stdin-list'], {
        ...terminal,
        stdin: names,
      });
      expect(code).toBe(1);
      expect(err().toString()).toContain('agentctl: ');
      expect(names.destroyed).toBe(true);
    } finally {
      await lost.remove();
    }
  });

  test.each([
    ['a\n\nb', 'name 2 of the list is empty'],
    [Buffer.from([0x61, 0xff, 0x0a]), 'name 1 of the list is not UTF-8'],
    [`a\n${'x'.repeat(70_000)}`, 'name 2 of the list is longer'],
  ])('refuses a list such as %j', async (list, why) => {
    const read = async (): Promise<void> => {
      const stream = new PassThrough();
      stream.end(list);
      for await (const name of listedNames(stream, '\n')) expect(name).toBe('a');
    };
    await expect(read()).rejects.toThrow(why);
  });

  test('a name may come in pieces', async () => {
    const stream = new PassThrough();
    const bytes = Buffer.from('ä\nöü\n', 'utf8');
    for (const byte of bytes) stream.write(Buffer.from([byte]));
    stream.end();
    const names: string[] = [];
    for await (const name of listedNames(stream, '\n')) names.push(name);
    expect(names).toEqual(['ä', 'öü']);
  });
});
